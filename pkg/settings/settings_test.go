package settings

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

type shared struct {
	Name string `toml:"name"`
}

type file struct {
	shared
	Wait  time.Duration `toml:"wait"`
	Most  int           `toml:"most"`
	Table []struct {
		Key string `toml:"key"`
	} `toml:"table"`
}

func read(text string) (file, error) {
	f := file{Most: 7}
	tree, err := Parse([]byte(text))
	if err != nil {
		return f, err
	}
	return f, Fill(&f, tree)
}

func TestAFileIsPutOverWhatIsThere(t *testing.T) {
	f, err := read("name = \"x\"\nwait = \"25s\"\n[[table]]\nkey = \"k\"\n")
	if err != nil || f.Name != "x" || f.Wait != 25*time.Second || f.Most != 7 || len(f.Table) != 1 || f.Table[0].Key != "k" {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := read(""); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := read("Name = \"x\"\nwait = 25\nmost = \"two\"\n[[table]]\nlock = 1\n")
	all := Problems(err)
	for _, want := range []string{"keys: Name", "'wait' must be a duration in quotes", "'most' expected type 'int'", "'table[0]' has invalid keys: lock"} {
		if !slices.ContainsFunc(all, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("nothing about %s in %q", want, all)
		}
	}
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	if _, err := read("name = \"x\"\nwait = \n"); err == nil || !strings.Contains(err.Error(), "line 2, column ") {
		t.Errorf("%v", err)
	}
}

func TestProblemsAreLinesEachOnce(t *testing.T) {
	err := errors.Join(errors.New("a"), errors.New("  b\n\na"))
	if all := Problems(err); !slices.Equal(all, []string{"a", "b"}) || Problems(nil) != nil {
		t.Errorf("%q", all)
	}
}

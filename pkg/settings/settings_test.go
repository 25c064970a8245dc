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
	Share float64       `toml:"share"`
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

// No comparison with a bound holds for nan, so that no section would refuse it.
func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, share := range []string{"nan", "-nan", "inf", "-inf"} {
		_, err := read("share = " + share + "\n")
		if all := Problems(err); len(all) != 1 || all[0] != "'share' must be a number" {
			t.Errorf("%s: %q", share, all)
		}
	}
	if f, err := read("share = 0.5\n"); err != nil || f.Share != 0.5 {
		t.Errorf("%v, %v", f.Share, err)
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

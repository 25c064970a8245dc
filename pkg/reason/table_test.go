package reason

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table into CLIENTS.md")

// clients is the page for the developers of clients.
const clients = "../../CLIENTS.md"

// The table stands between these lines.
const begins, ends = "<!-- table of reasons, from pkg/reason: make gen -->\n", "<!-- end -->\n"

func TestClientsAreToldTheTable(t *testing.T) {
	source, err := os.ReadFile(clients)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(source), begins)
	written, after, closed := strings.Cut(rest, ends)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", clients)
	}
	if *update {
		if err := os.WriteFile(clients, []byte(before+begins+Markdown()+ends+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written != Markdown() {
		t.Errorf("%s is not what the table says: make gen", clients)
	}
}

// constants lists the reasons that this package declares.
func constants(t *testing.T) []Reason {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []Reason
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, Reason(text))
		}
		return true
	})
	return all
}

func TestEveryReasonIsInTheTableOnce(t *testing.T) {
	times := map[Reason]int{}
	for _, e := range Table() {
		times[e.Reason]++
	}
	declared := constants(t)
	for _, r := range declared {
		if times[r] != 1 {
			t.Errorf("%s is in the table %d times", r, times[r])
		}
	}
	if len(declared) != len(Table()) {
		t.Errorf("%d reasons are declared, %d in the table", len(declared), len(Table()))
	}
}

var oneWord = regexp.MustCompile(`^[a-z][a-z_]*$`)

func TestEveryEntryIsComplete(t *testing.T) {
	for _, e := range Table() {
		bad := func(what string) { t.Errorf("%s %s", e.Reason, what) }
		if !oneWord.MatchString(string(e.Reason)) {
			bad("is no word")
		}
		if len(e.places()) == 0 {
			bad("shows nowhere")
		}
		if !strings.HasSuffix(e.Text, ".") || strings.Contains(e.Text, "|") {
			bad("has no sentence")
		}
		switch e.Retry {
		case Later:
			if e.After <= 0 {
				bad("is for later and does not say when")
			}
		case Now, NewToken, Never:
			if e.After != 0 || e.Spread != 0 && e.Retry != Now {
				bad("has a time to wait, and is not for later")
			}
		default:
			bad("does not say what to do")
		}
		if (e.Told || e.Code != 0) && !e.Close || e.Told && e.Code != 0 {
			bad("is told before a close that it does not have, or that breaks the connection")
		}
		if e.Bare && e.Connect == "" || e.EngineIO != 0 && e.Status == 0 {
			bad("has an answer without its place")
		}
	}
}

func TestAdviceIsJSON(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"code":"drain","retry":"now","retryAfterMs":740}`:   Drain.AppendAdvice([]byte("{"), 740*time.Millisecond),
		`{"code":"busy","retry":"later","retryAfterMs":1830}`: Busy.AppendAdvice([]byte("{"), 1830*time.Millisecond),
		`{"code":"revoked","retry":"new_token"}`:              Revoked.AppendAdvice([]byte("{"), time.Second),
		`{"code":"offline","retry":"now"}`:                    Offline.AppendAdvice([]byte("{"), 0),
		`{"retry":"never"}`:                                   Forbidden.AppendRetry([]byte("{"), 0),
		`{"code":"unheard_of","retry":"never"}`:               Reason("unheard_of").AppendAdvice([]byte("{"), 0),
	} {
		if got = append(got, '}'); string(got) != want || !json.Valid(got) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWaitsAreSpread(t *testing.T) {
	if a, b := Busy.Wait(0), Busy.Wait(1); a != time.Second || b != 3*time.Second {
		t.Errorf("busy waits %v to %v", a, b)
	}
	if a := Draining.Wait(0.7); a != 2*time.Second {
		t.Errorf("draining waits %v", a)
	}
}

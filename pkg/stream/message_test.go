package stream

import (
	"fmt"
	"testing"
)

func TestParseMessage(t *testing.T) {
	m := mid(7).String()
	e, err := parseMessage(3, "10 12 "+m+" 5 d:a b"+"body d:x\x00")
	if err != nil || e.Shard != 3 || e.Epoch != 10 || e.Seq != 12 || e.Mid != mid(7) || e.Target != doc("a b") || string(e.Body) != "body d:x\x00" {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := parseMessage(0, "1 2 "+m+" 2 a:"); err != nil || len(e.Body) != 0 {
		t.Errorf("%+v %v", e, err)
	}
	for _, bad := range []string{
		"", " ", "1", "1 2", "1 2 " + m, "1 2 " + m + " 3", "1 2 " + m + " 9 d:a", "1 2 " + m + " -1 d:a", "x 2 " + m + " 3 d:a",
		"1 -2 " + m + " 3 d:a", "1 2 mid 3 d:a", "1 2 " + m + " 3 x:a", "99999999999999999999999 2 " + m + " 3 d:a",
	} {
		if e, err := parseMessage(0, bad); err == nil {
			t.Errorf("%q is read as %+v", bad, e)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add("10 12 " + mid(7).String() + " 3 d:abody")
	f.Fuzz(func(t *testing.T, payload string) {
		e, err := parseMessage(0, payload)
		if err != nil {
			return
		}
		target := e.Target.String()
		again, err := parseMessage(0, fmt.Sprintf("%d %d %s %d %s%s", e.Epoch, e.Seq, e.Mid, len(target), target, e.Body))
		if err != nil || again.Seq != e.Seq || again.Target != e.Target || string(again.Body) != string(e.Body) {
			t.Errorf("%q: %+v, then %+v %v", payload, e, again, err)
		}
	})
}

package session

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/pkg/id"
)

func TestMembersAreReadAsTheyAreWritten(t *testing.T) {
	for _, boot := range []string{"", "a", "boot-2"} {
		s, tg := newSocket(5), tagOf(boot)
		if s2, t2, ok := parseMember(member(s, tg)); !ok || s2 != s || t2 != tg {
			t.Errorf("%q is read as %v %v %v", member(s, tg), s2, t2, ok)
		}
		if h, ok := parseNodeMember(nodeMember(4095, tg)); !ok || h != (holder{4095, tg}) {
			t.Errorf("%q is read as %v %v", nodeMember(4095, tg), h, ok)
		}
		n := Node{17, boot + ":x"}
		if got, ok := parseNode(n.text()); !ok || got != n {
			t.Errorf("%q is read as %v %v", n.text(), got, ok)
		}
	}
	good := member(newSocket(5), 1)
	for _, bad := range []string{"", good[:13], good + "0", strings.Replace(good, ":", ".", 1), good[:14] + "0000000x", "0000000000000:00000001"} {
		if _, _, ok := parseMember(bad); ok {
			t.Errorf("%q is a member", bad)
		}
	}
	for _, bad := range []string{"", "1", "1:", "4096:00000001", "x:00000001", "1:0001"} {
		if _, ok := parseNodeMember(bad); ok {
			t.Errorf("%q is a replica", bad)
		}
	}
}

func TestDocumentsDoNotShareKeys(t *testing.T) {
	k := keys{prefix: "ws", parts: 8}
	seen := make(map[string]string)
	for _, d := range []id.Doc{"a", "1:a", "clients:a", ":a", ".1:a"} {
		for part := range 8 {
			key := k.doc(d, part)
			if other, ok := seen[key]; ok {
				t.Errorf("%q names %q and %q", key, other, d)
			}
			seen[key] = string(d)
		}
	}
}

func TestPartsAreEven(t *testing.T) {
	k := keys{prefix: "ws", parts: 8}
	counts := make([]int, 8)
	for range 8000 {
		counts[k.part(newSocket(1))]++
	}
	for part, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("part %d has %d of 8000", part, n)
		}
	}
}

func TestRecordIsReadAsItIsWritten(t *testing.T) {
	c := Client{Socket: newSocket(9), User: "u:1", Docs: []id.Doc{"b", "a", "doc:a"}, Replica: 9, Boot: "b", AuthType: "t",
		ClientVersion: "v", Locale: "l", Since: time.UnixMilli(1_700_000_000_123)}
	var s sheet
	s.record(&c, 5)
	args := s.args
	fields := make(map[string]string)
	for n := 0; n < len(args); n += 2 {
		fields[fmt.Sprint(args[n])] = fmt.Sprint(args[n+1])
	}
	got, ok := parseRecord(c.Socket, fields)
	c.Seen = c.Since
	if !ok || !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v, want %+v", got, c)
	}
	if _, ok := parseRecord(c.Socket, map[string]string{"doc:a": "1"}); ok {
		t.Error("the remains of a record are one")
	}
}

func TestVersionsRiseWhateverTheClock(t *testing.T) {
	clock := time.Unix(1000, 0)
	i := &Index{now: func() time.Time { return clock }}
	last := int64(0)
	for _, step := range []time.Duration{0, 0, time.Second, -time.Hour, 0, 2 * time.Hour} {
		clock = clock.Add(step)
		v := i.version()
		if v <= last {
			t.Errorf("%d after %d", v, last)
		}
		last = v
	}
	if last != clock.UnixMicro() {
		t.Errorf("version %d, time %d", last, clock.UnixMicro())
	}
}

func TestDefaultConfigIsValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := (&Config{NodesFor: -1, CacheFor: -1, SweepGrace: -1}).Validate()
	if err == nil {
		t.Fatal("an empty config is valid")
	}
	for _, key := range []string{
		"prefix", "parts", "lease_ttl", "renew_every", "nodes_for", "refresh_every", "batch", "rebuild_workers", "sweep_grace",
		"sweep_workers", "cache_for", "cache_after", "cache_keys", "group_lanes", "group_most", "group_bytes", "group_queue", "timeout",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": must be ") {
			t.Errorf("no word of %s in:\n%v", key, err)
		}
	}
}

func TestSettingsOfSharedPipelinesHaveBounds(t *testing.T) {
	for key, of := range map[string]struct {
		set         func(c *Config, v int)
		least, most int
	}{
		"group_lanes": {func(c *Config, v int) { c.GroupLanes = v }, 1, 64},
		"group_most":  {func(c *Config, v int) { c.GroupMost = v }, 1, 10_000},
		"group_bytes": {func(c *Config, v int) { c.GroupBytes = v }, 64 << 10, 16 << 20},
		"group_queue": {func(c *Config, v int) { c.GroupQueue = v }, 1, 1_000_000},
	} {
		for v, ok := range map[int]bool{of.least - 1: false, of.least: true, of.most: true, of.most + 1: false, 100 * of.most: false} {
			c := DefaultConfig()
			of.set(&c, v)
			if err := c.Validate(); (err == nil) != ok {
				t.Errorf("%s = %d: %v", key, v, err)
			}
		}
	}
}

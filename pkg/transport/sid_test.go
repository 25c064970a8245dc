package transport

import (
	"strings"
	"testing"
)

func TestSID(t *testing.T) {
	key := newSecret()
	sid := formatSID(0x0123456789abcdef, &key)
	if len(sid) != sidChars || !strings.HasPrefix(sid, "ASNFZ4mrze") {
		t.Errorf("sid %q", sid)
	}
	id, got, ok := parseSID(sid)
	if !ok || id != 0x0123456789abcdef || !got.equal(&key) {
		t.Errorf("parsed as %x %v %v", id, got, ok)
	}
	if other := newSecret(); other.equal(&key) {
		t.Error("two secrets are the same")
	}
	// One spelling only: the last character has two bits that stand for nothing.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", sid[26])
	other := sid[:26] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	for _, bad := range []string{"", sid[:26], sid + "A", other, strings.Repeat("=", 27), sid[:20] + "\n" + sid[20:26], strings.Repeat("é", 13) + "a"} {
		if _, _, ok := parseSID(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzSID(f *testing.F) {
	f.Add(formatSID(7, &secret{1, 2, 3}))
	f.Fuzz(func(t *testing.T, sid string) {
		if id, key, ok := parseSID(sid); ok && formatSID(id, &key) != sid {
			t.Errorf("%q is another spelling", sid)
		}
	})
}

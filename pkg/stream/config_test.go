package stream

import (
	"strings"
	"testing"
)

func TestDefaultConfigIsValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := (&Config{Prefix: "{a}"}).Validate()
	if err == nil {
		t.Fatal("an empty config is valid")
	}
	for _, key := range []string{
		"prefix", "shards", "max_entries", "max_bytes", "window", "log_entries", "announce_every", "grace", "buffer",
		"key_for", "timeout", "retry_min",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": must be ") {
			t.Errorf("no word of %s in:\n%v", key, err)
		}
	}
}

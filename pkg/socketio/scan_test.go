package socketio

import (
	"encoding/json"
	"testing"
)

// validJSON is the scanner without limits that matter.
func validJSON(b []byte) bool {
	s := scanner{b: b, depth: 1000}
	end, err := s.document()
	return err == nil && end <= len(b)
}

func TestScannerTakesWhatJSONIs(t *testing.T) {
	for in, want := range map[string]bool{
		`0`: true, `-0`: true, `-0.0e+10`: true, `1E5`: true, `0.1`: true, `12`: true,
		`01`: false, `-`: false, `1.`: false, `.1`: false, `1e`: false, `1e+`: false, `+1`: false, `--1`: false,
		`"\u00e9\"\\\/\b\f\n\r\t"`: true, `"\u00zz"`: false, `"\`: false, `"\u12`: false, `"`: false, "\"\x1f\"": false, "\"\x7f\"": true,
		`true`: true, `tru`: false, `truex`: false, `null`: true, `nul`: false, `false`: true, `False`: false,
		`[]`: true, `[ ]`: true, `[1,]`: false, `[,1]`: false, `[1 2]`: false, `[1`: false, `]`: false, `[}`: false,
		`{}`: true, `{ }`: true, `{"a":1}`: true, `{"a":1,}`: false, `{"a"}`: false, `{"a":}`: false, `{a:1}`: false, `{"a":1 "b":2}`: false, `{1:1}`: false, `{`: false,
		` 1`: false, `1 `: true, "1\v": false, ``: false, `1 1`: false,
	} {
		if got := validJSON([]byte(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestPlaceholderKeysMayBeWrittenWithEscapes(t *testing.T) {
	for key, want := range map[string]bool{
		`"num"`: true, `"\u006eum"`: true, `"n\u0075\u006D"`: true, `"nu"`: false, `"numb"`: false, `"nu\u006d "`: false, `"n\tm"`: false, `""`: false, `"\u006eu"`: false,
	} {
		if got := keyIs([]byte(key), "num"); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}

func FuzzScannerAgreesWithEncodingJSON(f *testing.F) {
	for _, in := range []string{
		`["a",{"b":[1,-2.5e+3,null,true,false,"\ud83d\ude00\u0000"]}]`, `{"a":{"a":{}}}`, `[1,]`, `"\x"`, `1e`, "\"\x01\"", `[[[[]]]]`, ``,
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scanner{b: b, depth: 1000}
		end, err := s.document()
		if err == ErrDepth {
			return
		}
		// The scanner starts at the value, encoding/json before white space.
		want := json.Valid(b) && s.space(0) == 0
		if (err == nil) != want {
			t.Fatalf("%q: %v, encoding/json says %v", b, err, want)
		}
		if err == nil && !json.Valid(b[:end]) {
			t.Fatalf("%q ends at %d", b, end)
		}
	})
}

package transport

import (
	"fmt"
	"sync"
	"testing"
)

func TestFrameForms(t *testing.T) {
	text := NewFrame([]byte("€"))
	both := NewFrame([]byte("a"), []byte{1, 2}, []byte{255})
	binary := NewBinaryFrame([]byte{1, 2})
	joined := Join(text, both, Join(binary, text))
	for _, row := range []struct {
		f    *Frame
		w    form
		want string
	}{
		{text, wsV4, "\x81\x044€"},
		{text, wsV3, "\x81\x044€"},
		{text, pollV4, "4€"},
		{text, pollV3, "2:4€"},
		{text, pollV3Octets, "\x00\x04\xff4€"},
		{both, wsV4, "\x81\x024a\x82\x02\x01\x02\x82\x01\xff"},
		{both, wsV3, "\x81\x024a\x82\x03\x04\x01\x02\x82\x02\x04\xff"},
		{both, wsV4Base64, "\x81\x024a\x81\x05bAQI=\x81\x05b/w=="},
		{both, wsV3Base64, "\x81\x024a\x81\x06b4AQI=\x81\x06b4/w=="},
		{both, pollV4, "4a\x1ebAQI=\x1eb/w=="},
		{both, pollV3, "2:4a6:b4AQI=6:b4/w=="},
		{both, pollV3Octets, "\x00\x02\xff4a\x01\x03\xff\x04\x01\x02\x01\x02\xff\x04\xff"},
		{binary, wsV4, "\x82\x02\x01\x02"},
		{binary, pollV4, "bAQI="},
		{joined, wsV4, "\x81\x044€\x81\x024a\x82\x02\x01\x02\x82\x01\xff\x82\x02\x01\x02\x81\x044€"},
		{joined, pollV4, "4€\x1e4a\x1ebAQI=\x1eb/w==\x1ebAQI=\x1e4€"},
		{joined, pollV3, "2:4€2:4a6:b4AQI=6:b4/w==6:b4AQI=2:4€"},
		{pingFrame, wsV4, "\x81\x012"},
		{noopFrame, pollV3, "1:6"},
		{closePoll, pollV4, "1"},
		{probeFrame, wsV4, "\x81\x063probe"},
		{NewFrame(nil), wsV4, "\x81\x014"},
	} {
		if got := string(row.f.wire(row.w)); got != row.want {
			t.Errorf("form %d: %q, want %q", row.w, got, row.want)
		}
	}
	if joined.packets != 6 || Join(text) != text {
		t.Errorf("joined of %d packets", joined.packets)
	}
	if !joined.hasBinary() || text.hasBinary() {
		t.Error("hasBinary")
	}
}

func TestFrameHeaders(t *testing.T) {
	for n, want := range map[int]string{0: "8100", 125: "817d", 126: "817e007e", 65535: "817effff", 65536: "817f0000000000010000"} {
		if got := fmt.Sprintf("%x", appendHeader(nil, opText, n)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// All sessions get the very same bytes.
func TestFormsAreShared(t *testing.T) {
	f := NewFrame([]byte("shared"))
	var wg sync.WaitGroup
	got := make([]*byte, 20)
	for i := range got {
		wg.Go(func() { got[i] = &f.wire(wsV4)[0] })
	}
	wg.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatal("built more than once")
		}
	}
	if &f.wire(wsV3)[0] != got[0] {
		t.Error("text is built again for generation 3")
	}
}

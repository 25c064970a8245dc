package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"sluice/pkg/devcert"
)

// edgeTOML puts a client port behind a balancer that speaks PROXY, with TLS for
// two names.
func edgeTOML(t *testing.T, dir string) string {
	t.Helper()
	secret := filepath.Join(dir, "tickets")
	if err := os.WriteFile(secret, []byte("a secret that all gateways of a test share\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	oneCert, oneKey := certificateFor(t, dir, "one.example")
	twoCert, twoKey := certificateFor(t, dir, "two.example")
	text := strings.Replace(gatewayTOML, "[edge] # all clients come from one address\n", fmt.Sprintf(`[edge]
proxy_protocol = ["127.0.0.1"]
cert_file = %q
key_file = %q
ticket_key_file = %q
`, oneCert, oneKey, secret), 1)
	text = strings.Replace(text, "max_sessions = 0\n", "max_sessions = 1\nunknown_per_second = 0.001\nunknown_burst = 2\n", 1)
	return text + fmt.Sprintf("\n[[edge.certificate]]\ncert_file = %q\nkey_file = %q\n", twoCert, twoKey)
}

func certificateFor(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	return devcert.Files(t, devcert.Make(t, nil, name, name), dir, name)
}

// visitor is a client whose balancer says where it comes from.
type visitor struct {
	t    *testing.T
	from string
	tls  *tls.Config
}

func newVisitor(t *testing.T, from, name string) *visitor {
	return &visitor{t: t, from: from, tls: &tls.Config{
		InsecureSkipVerify: true, ServerName: name, ClientSessionCache: tls.NewLRUClientSessionCache(1), // self-signed
	}}
}

// dial connects through the balancer, which adds a header of version 2.
func (v *visitor) dial(ctx context.Context, address string) (*tls.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", address)
	if err != nil {
		return nil, err
	}
	header := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 12)
	header = append(header, netip.MustParseAddr(v.from).AsSlice()...)
	header = append(header, 198, 51, 100, 1)
	header = binary.BigEndian.AppendUint16(header, 4711)
	header = binary.BigEndian.AppendUint16(header, 443)
	if _, err := conn.Write(header); err != nil {
		return nil, err
	}
	over := tls.Client(conn, v.tls)
	return over, over.HandshakeContext(ctx)
}

// websocket opens a session; status is the answer when it is refused.
func (v *visitor) websocket(address string) (ws *websocket.Conn, status int) {
	v.t.Helper()
	d := websocket.Dialer{HandshakeTimeout: 20 * time.Second, NetDialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return v.dial(ctx, address)
	}}
	ws, r, err := d.Dial("wss://"+address+"/socket.io/?EIO=4&transport=websocket", nil)
	if err == nil {
		v.t.Cleanup(func() { _ = ws.Close() }) // it may have been closed in the test
		return ws, http.StatusSwitchingProtocols
	}
	if r == nil {
		v.t.Fatalf("%s: %v", v.from, err)
	}
	return nil, r.StatusCode
}

// get asks once and tells how the handshake went as well.
func (v *visitor) get(address, query string, header ...string) (status int, body string, state tls.ConnectionState) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := v.dial(ctx, address)
	if err != nil {
		v.t.Fatalf("%s: %v", v.from, err)
	}
	defer func() { _ = conn.Close() }() // all has been read
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", query, strings.Join(header, ""))
	if err != nil {
		v.t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		v.t.Fatalf("%s: %v", v.from, err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r.StatusCode, string(b), conn.ConnectionState()
}

// TestTheClientPortBehindABalancer runs two gateways with TLS behind a balancer of
// TCP: what they know of a client's address is what the balancer says, also when
// one forwards to the other, and a TLS session begun at one goes on at the other.
func TestTheClientPortBehindABalancer(t *testing.T) {
	c := newClusterOf(t, edgeTOML(t, t.TempDir()), apiTOML, 2, 1)
	one, two := c.gateways[0].address, c.gateways[1].address
	ann, bob := newVisitor(t, "192.0.2.1", "one.example"), newVisitor(t, "192.0.2.2", "two.example")

	// A WebSocket works over all of it, and each address has its one session.
	for _, v := range []*visitor{ann, bob} {
		ws, status := v.websocket(one)
		if ws == nil {
			t.Fatalf("%s is answered %d", v.from, status)
		}
		said := func() string {
			_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second)) // the read fails then
			_, b, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if got := said(); !strings.HasPrefix(got, `0{"sid"`) {
			t.Errorf("the first message is %q", got)
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte(fmt.Sprintf(`40{"token":%q}`, token(t, v.from)))); err != nil {
			t.Fatal(err)
		}
		if got := said(); !strings.HasPrefix(got, `40{"sid"`) {
			t.Errorf("CONNECT is answered %q", got)
		}
		if status, _, _ := v.get(one, "/socket.io/?EIO=4&transport=polling", "X-Forwarded-For: 192.0.2.99\r\n"); status != http.StatusTooManyRequests {
			t.Errorf("a second session of %s is answered %d", v.from, status)
		}
	}

	// The certificate is that of the name.
	for _, v := range []*visitor{ann, bob} {
		status, _, state := v.get(two, "/accept-traffic")
		if name := state.PeerCertificates[0].Subject.CommonName; status != http.StatusOK || name != v.tls.ServerName {
			t.Errorf("/accept-traffic answers %d under %s, want %s", status, name, v.tls.ServerName)
		}
		if !state.DidResume {
			t.Errorf("what began at one gateway does not go on at the other")
		}
	}
	alone := newVisitor(t, "192.0.2.3", "one.example")
	if _, _, state := alone.get(two, "/health"); state.DidResume {
		t.Error("a session that never was goes on")
	}

	// Made-up sids of gateway one, asked for at gateway two. Both count them for
	// the client, whatever it says it is.
	cid := newVisitor(t, "192.0.2.4", "one.example")
	_, body, _ := cid.get(one, "/socket.io/?EIO=4&transport=polling")
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &open); err != nil || len(open.SID) != 27 {
		t.Fatalf("the handshake is answered %q", body)
	}
	guess := "/socket.io/?EIO=4&transport=polling&sid=" + open.SID[:14] + "AAAAAAAAAAAA" + open.SID[26:]
	for i, want := range []int{400, 400, 429, 429} {
		if status, body, _ := cid.get(two, guess, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d\r\n", 100+i)); status != want {
			t.Errorf("guess %d is answered %d %s, want %d", i, status, body, want)
		}
	}
	if status, _, _ := cid.get(one, guess); status != http.StatusTooManyRequests {
		t.Errorf("then gateway one answers it %d: it has not seen the client's address", status)
	}
	if status, _, _ := alone.get(one, guess); status != http.StatusBadRequest {
		t.Errorf("gateway one answers another client %d", status)
	}
}

package mesh

import (
	"net/http"
	"net/textproto"
	"strings"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// dropped are the headers that concern one connection only (RFC 9110, 7.6.1),
// and those with which a client could claim an address that the caller did not
// believe: the callee is told the address in ForwardRequest.remote_addr.
var dropped = map[string]bool{
	"Connection":          true,
	"Proxy-Connection":    true,
	"Keep-Alive":          true,
	"Proxy-Authenticate":  true,
	"Proxy-Authorization": true,
	"Te":                  true,
	"Trailer":             true,
	"Transfer-Encoding":   true,
	"Upgrade":             true,
	"Forwarded":           true,
	"X-Forwarded-For":     true,
	"X-Forwarded-Host":    true,
	"X-Forwarded-Port":    true,
	"X-Forwarded-Proto":   true,
	"X-Real-Ip":           true,
}

// endToEnd returns the headers that are passed on. For an upgrade, Connection
// and Upgrade are put back in their plain form.
func endToEnd(h http.Header, upgrade bool) []*meshv1.Header {
	var named map[string]bool // by the Connection header
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				if named == nil {
					named = make(map[string]bool)
				}
				named[textproto.CanonicalMIMEHeaderKey(name)] = true
			}
		}
	}
	out := make([]*meshv1.Header, 0, len(h)+2)
	for name, values := range h {
		// What an upgrade needs stays, whatever the client's Connection names.
		needed := upgrade && strings.HasPrefix(name, "Sec-Websocket-")
		if dropped[name] || named[name] && !needed {
			continue
		}
		out = append(out, &meshv1.Header{Name: name, Values: values})
	}
	if upgrade {
		out = append(out,
			&meshv1.Header{Name: "Connection", Values: []string{"Upgrade"}},
			&meshv1.Header{Name: "Upgrade", Values: []string{"websocket"}})
	}
	return out
}

// isUpgrade tells whether r asks for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && hasToken(r.Header["Connection"], "upgrade") &&
		hasToken(r.Header["Upgrade"], "websocket")
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(textproto.TrimString(part), token) {
				return true
			}
		}
	}
	return false
}

package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// credentials is what a client says of itself when it connects: in the auth
// payload of its CONNECT packet, or in the handshake's query for clients that
// have no such payload. Unknown fields belong to the application.
type credentials struct {
	Token         string   `json:"token"`
	AuthType      string   `json:"authType"`
	ClientVersion string   `json:"clientVersion"`
	Locale        string   `json:"locale"`
	Documents     []string `json:"documents"`
}

// maxLabel bounds what a client says of its version and its locale.
const maxLabel = 32

// queryCredentials reads the handshake; nil when it says nothing. Everything is
// copied: the request must not stay reachable from the connection.
func queryCredentials(r *http.Request) *credentials {
	q := r.URL.Query()
	c := &credentials{
		Token:         strings.Clone(q.Get("token")),
		AuthType:      strings.Clone(q.Get("authType")),
		ClientVersion: strings.Clone(q.Get("clientVersion")),
		Locale:        strings.Clone(q.Get("locale")),
	}
	if docs := q.Get("documents"); docs != "" {
		c.Documents = strings.Split(strings.Clone(docs), ",")
	}
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found && c.Token == "" {
		c.Token = strings.Clone(bearer)
	}
	if c.Token == "" && c.AuthType == "" && c.ClientVersion == "" && c.Locale == "" && c.Documents == nil {
		return nil // most clients speak in their CONNECT
	}
	return c
}

// parseCredentials reads the auth payload of a CONNECT packet over what the
// handshake's query said. The payload must be an object.
func parseCredentials(payload []byte, query *credentials) (credentials, error) {
	var c credentials
	if query != nil {
		c = *query
	}
	if len(payload) == 0 {
		return c, c.check()
	}
	if payload[0] != '{' {
		return c, fmt.Errorf("%w: CONNECT payload is not an object", errProtocol)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		// A field of another type than ours is the application's, not an attack.
		return c, fmt.Errorf("%w: %w", errCredentials, err)
	}
	return c, c.check()
}

func (c *credentials) check() error {
	if len(c.ClientVersion) > maxLabel || len(c.Locale) > maxLabel || len(c.AuthType) > maxLabel {
		return errCredentials
	}
	return nil
}

// namespaceCredentials reads a CONNECT of the older generation, which carries
// its parameters in the namespace, "/custom?token=a", over what the handshake's
// query said. The object is the parameters as JSON, nil without any: what such
// a client has for an auth payload.
func namespaceCredentials(raw string, query *credentials) (c credentials, object []byte) {
	if query != nil {
		c = *query
	}
	q, _ := url.ParseQuery(raw) // what cannot be read says nothing
	for name, field := range map[string]*string{
		"token": &c.Token, "authType": &c.AuthType, "clientVersion": &c.ClientVersion, "locale": &c.Locale,
	} {
		if v := q.Get(name); v != "" {
			*field = v
		}
	}
	if docs := q.Get("documents"); docs != "" {
		c.Documents = strings.Split(docs, ",")
	}
	return c, queryObject(q)
}

// queryObject writes parameters as an object; those that are repeated become
// lists.
func queryObject(q url.Values) []byte {
	if len(q) == 0 {
		return nil
	}
	object := make(map[string]any, len(q))
	for name, values := range q {
		object[name] = values
		if len(values) == 1 {
			object[name] = values[0]
		}
	}
	b, _ := json.Marshal(object) // strings always encode
	return b
}

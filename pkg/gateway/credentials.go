package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/pkg/plainjson"
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
	if r.Header.Get("Authorization") == "" && !saysWho(r.URL.RawQuery) {
		return nil // most clients speak in their CONNECT
	}
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
		return nil
	}
	return c
}

// credentialNames are the members and parameters that credentials are read from.
var credentialNames = []string{"token", "authType", "clientVersion", "locale", "documents"}

// saysWho tells whether credentials may be in a query. It saves taking a query apart
// that has none: a map and a list for each parameter.
func saysWho(query string) bool {
	if strings.ContainsAny(query, "%+;") {
		return true // names may be written in other ways
	}
	for _, name := range credentialNames {
		if strings.Contains(query, name) {
			return true
		}
	}
	return false
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
	if plain := c; plain.read(payload) {
		return plain, plain.check()
	}
	c.Documents = slices.Clone(c.Documents) // encoding/json writes into what is there
	if err := json.Unmarshal(payload, &c); err != nil {
		// A field of another type than ours is the application's, not an attack.
		return c, fmt.Errorf("%w: %w", errCredentials, err)
	}
	return c, c.check()
}

// read reads a plain payload, without the garbage of encoding/json; false means that
// it is not plain.
func (c *credentials) read(payload []byte) bool {
	o := plainjson.Read(payload)
	for name, ok := o.Next(); ok; name, ok = o.Next() {
		switch string(name) {
		case "token":
			c.Token = string(o.Text())
		case "authType":
			c.AuthType = string(o.Text())
		case "clientVersion":
			c.ClientVersion = string(o.Text())
		case "locale":
			c.Locale = string(o.Text())
		case "documents":
			c.Documents = o.Texts()
		default:
			o.Unknown(name, credentialNames...)
		}
	}
	return o.End()
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

package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CookieConfig is a cookie that tells a balancer which session a request is of.
// The server itself never reads it: a cookie travels with requests that a page
// of somebody else's makes, so it must not be what lets a client in.
type CookieConfig struct {
	// Name of the cookie that the answer to a handshake sets to the sid, as "io".
	// Default "": none is set. Sluice needs no sticky sessions; set it for a
	// balancer that counts or routes by it.
	Name string `toml:"name"`
	// Path that browsers send it to. Default "/".
	Path string `toml:"path"`
	// HTTPOnly keeps it from scripts. Default true. The sid is a secret: leave it.
	HTTPOnly bool `toml:"http_only"`
	// SameSite is "lax", "strict" or "none". Default "lax". Pages of another site
	// need "none", which browsers take with Secure only.
	SameSite string `toml:"same_site"`
	// MaxAge is how long browsers keep it. Default 0: until they are closed.
	MaxAge time.Duration `toml:"max_age"`
	// Secure makes browsers send it over TLS only. Default false.
	Secure bool `toml:"secure"`
}

// sameSites are the attributes in the spelling of the reference.
var sameSites = map[string]string{"lax": "Lax", "strict": "Strict", "none": "None"}

func (c *CookieConfig) check() (errs []error) {
	if c.Name == "" {
		return nil
	}
	if !isToken(c.Name) {
		errs = append(errs, fmt.Errorf("cookie.name: must be a token, is %q", c.Name))
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' }) {
		errs = append(errs, fmt.Errorf("cookie.path: must begin with / and hold no space and no semicolon, is %q", c.Path))
	}
	if sameSites[c.SameSite] == "" {
		errs = append(errs, fmt.Errorf("cookie.same_site: must be lax, strict or none, is %q", c.SameSite))
	}
	if c.SameSite == "none" && !c.Secure {
		errs = append(errs, errors.New("cookie.secure: must be true with same_site none, or browsers drop the cookie"))
	}
	if c.MaxAge < 0 {
		errs = append(errs, errors.New("cookie.max_age: must not be negative"))
	}
	return errs
}

// attributes is what follows the sid, in the order of the reference.
func (c *CookieConfig) attributes() string {
	var b strings.Builder
	if c.MaxAge > 0 {
		b.WriteString("; Max-Age=" + strconv.FormatInt(int64(c.MaxAge.Seconds()), 10))
	}
	b.WriteString("; Path=" + c.Path)
	if c.HTTPOnly {
		b.WriteString("; HttpOnly")
	}
	if c.Secure {
		b.WriteString("; Secure")
	}
	return b.String() + "; SameSite=" + sameSites[c.SameSite]
}

// setCookie puts the session's cookie into the answer to its handshake.
func (s *Session) setCookie(w http.ResponseWriter) {
	if name := s.srv.cfg.Cookie.Name; name != "" {
		w.Header()["Set-Cookie"] = []string{name + "=" + s.SID() + s.srv.cookie}
	}
}

// isToken tells whether s is a token (RFC 9110, section 5.6.2), which can stand
// in a header as it is.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

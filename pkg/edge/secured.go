package edge

import "crypto/tls"

// secured is a TLS connection of whose first request some has been read. net/http
// asks it for its ConnectionState.
type secured struct {
	*tls.Conn
	early []byte
}

// Read implements net.Conn.
func (c *secured) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}

// Bare is the TLS connection, for who takes it over; nil while something of what
// was read is left.
func (c *secured) Bare() *tls.Conn {
	if len(c.early) > 0 {
		return nil
	}
	return c.Conn
}

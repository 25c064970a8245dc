package gateway

import "slices"

// inSpaceLocked tells whether the client is connected to the namespace.
func (c *Connection) inSpaceLocked(ns string) bool {
	if ns == mainSpace {
		return c.main
	}
	return c.out != nil && slices.Contains(c.out.spaces, ns)
}

// addSpaceLocked reports false when the client was connected to it already.
func (c *Connection) addSpaceLocked(ns string) bool {
	if c.inSpaceLocked(ns) {
		return false
	}
	if ns == mainSpace {
		c.main = true
	} else {
		o := c.outboxLocked()
		o.spaces = append(o.spaces, ns)
	}
	return true
}

// dropSpaceLocked reports whether the client was connected to the namespace.
func (c *Connection) dropSpaceLocked(ns string) bool {
	if !c.inSpaceLocked(ns) {
		return false
	}
	if ns == mainSpace {
		c.main = false
		return true
	}
	o := c.out
	o.spaces = slices.DeleteFunc(o.spaces, func(s string) bool { return s == ns })
	c.tidyLocked()
	return true
}

// spacesLocked lists the namespaces that the client is connected to.
func (c *Connection) spacesLocked() []string {
	switch {
	case c.out == nil || len(c.out.spaces) == 0:
		if c.main {
			return onlyMain
		}
		return nil
	case c.main:
		return append([]string{mainSpace}, c.out.spaces...)
	default:
		return slices.Clone(c.out.spaces)
	}
}

// onlyMain is what most connections have; nobody changes it.
var onlyMain = []string{mainSpace}

// spaceCountLocked is how many there are.
func (c *Connection) spaceCountLocked() int {
	n := 0
	if c.main {
		n = 1
	}
	if c.out != nil {
		n += len(c.out.spaces)
	}
	return n
}

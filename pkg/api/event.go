package api

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// event is a validated Socket.IO event.
type event struct {
	name        string
	args        []byte // the text of a JSON array
	attachments [][]byte
}

// size is what an event costs where it is stored or sent, in bytes.
func (e event) size() int {
	n := len(e.name) + len(e.args)
	for _, a := range e.attachments {
		n += len(a)
	}
	return n
}

// reserved are the event names that Socket.IO keeps for itself; its clients throw
// when they are emitted.
var reserved = map[string]bool{
	"connect": true, "connect_error": true, "disconnect": true, "disconnecting": true,
	"newListener": true, "removeListener": true,
}

// ownPrefix begins the names of events between gateways and their clients, such as
// the news of a gap. A component that could send them could lie to clients.
const ownPrefix = "sluice:"

func (c *checker) event(field string, e *sluicev1.Event) event {
	if e == nil {
		c.refuse(field, "is missing")
		return event{}
	}
	c.eventName(field+".name", e.GetName())
	args := c.args(field+".args", field+".attachments", e.GetArgs(), e.GetAttachments())
	return event{name: e.GetName(), args: args, attachments: e.GetAttachments()}
}

func (c *checker) eventName(field, name string) {
	if reserved[name] {
		c.refuse(field, "is reserved by Socket.IO")
		return
	}
	if strings.HasPrefix(name, ownPrefix) {
		c.refuse(field, "begins like the gateway's own events")
		return
	}
	c.text(field, name, 1, c.limits.MaxEventName)
}

// args checks an argument list and its attachments; an empty text stands for the
// empty list, which is what a client library sends that leaves the field out.
func (c *checker) args(field, attachmentsField, text string, attachments [][]byte) []byte {
	if text == "" {
		text = "[]"
	}
	if len(attachments) > c.limits.MaxAttachments {
		c.refuse(attachmentsField, "must have at most %d entries", c.limits.MaxAttachments)
		return nil
	}
	total := len(text)
	for _, a := range attachments {
		total += len(a)
	}
	if total > c.limits.MaxPayload {
		c.refuse(field, "must have at most %d bytes together with the attachments", c.limits.MaxPayload)
		return nil
	}
	if wrong := checkArgs(text, len(attachments), c.limits.MaxDepth); wrong != "" {
		c.refuse(field, wrong)
		return nil
	}
	return []byte(text)
}

// text checks a name, key or reason.
func (c *checker) text(field, s string, low, high int) bool {
	wrong := readText(s, low, high)
	if wrong != "" {
		c.refuse(field, wrong)
	}
	return wrong == ""
}

// readText tells what is wrong with a text: its length in bytes, or that something in
// it can break a log line or a key.
func readText(s string, low, high int) string {
	switch {
	case len(s) < low && s == "":
		return "must not be empty"
	case len(s) < low || len(s) > high:
		return fmt.Sprintf("must have %d to %d bytes", low, high)
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not have control characters"
	}
	return ""
}

// namespace checks a Socket.IO namespace and returns it, "/" for the empty one. A
// comma would end it on the wire and a question mark starts its query.
func (c *checker) namespace(field, ns string) string {
	if ns == "" {
		return "/"
	}
	if !c.text(field, ns, 1, c.limits.MaxNamespace) {
		return ""
	}
	if ns[0] != '/' || strings.ContainsAny(ns, ",?") {
		c.refuse(field, "must begin with a slash and have no comma or question mark")
		return ""
	}
	return ns
}

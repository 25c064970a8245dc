package api

import (
	"time"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/reason"
)

// call is a validated CallRequest: exactly one of socket and user is set.
type call struct {
	socket    id.Socket
	user      id.User
	namespace string
	event     event
	wait      time.Duration
}

func (l Limits) call(req *sluicev1.CallRequest) (*call, error) {
	c := &checker{limits: l}
	out := &call{}
	switch req.GetTarget().(type) {
	case *sluicev1.CallRequest_Socket:
		out.socket = one(c, "socket", req.GetSocket(), readSocket)
	case *sluicev1.CallRequest_User:
		out.user = one(c, "user", req.GetUser(), readUser)
	default:
		c.refuse("target", "one of socket and user is needed")
	}
	out.namespace = c.namespace("namespace", req.GetNamespace())
	out.event = c.event("event", req.GetEvent())
	out.wait = c.duration("timeout", req.GetTimeout(), maxWait)
	if out.wait == 0 {
		out.wait = defaultWait
	}
	return out, c.err()
}

// control is a validated JoinRequest, LeaveRequest or KickRequest.
type control struct {
	sockets   []id.Socket
	users     []id.User
	documents []id.Doc
	reason    string
	close     bool
	namespace string
}

func (l Limits) membership(who *sluicev1.Selection, documents []string) (*control, error) {
	c := &checker{limits: l}
	out := &control{}
	c.selection(out, who)
	switch n := len(documents); {
	case n == 0:
		c.refuse("documents", "must not be empty")
	case n > l.MaxDocuments:
		c.refuse("documents", "must have at most %d entries", l.MaxDocuments)
	default:
		out.documents = c.documents("documents", documents)
	}
	return out, c.err()
}

func (l Limits) kick(req *sluicev1.KickRequest) (*control, error) {
	c := &checker{limits: l}
	out := &control{reason: req.GetReason(), close: req.GetClose()}
	c.selection(out, req.GetWho())
	if out.reason == "" {
		out.reason = string(reason.Kicked)
	}
	c.text("reason", out.reason, 1, maxReason)
	out.namespace = c.namespace("namespace", req.GetNamespace())
	return out, c.err()
}

func (c *checker) selection(out *control, who *sluicev1.Selection) {
	if len(who.GetSockets())+len(who.GetUsers()) == 0 {
		c.refuse("who", "at least one socket or user is needed")
		return
	}
	n := c.lists("who.", who.GetSockets(), who.GetUsers(), nil)
	out.sockets, out.users = n.sockets, n.users
}

func (l Limits) getSocket(req *sluicev1.GetSocketRequest) (id.Socket, error) {
	c := &checker{limits: l}
	s := one(c, "socket", req.GetSocket(), readSocket)
	return s, c.err()
}

// list is a validated ListSocketsRequest or CountSocketsRequest.
type list struct {
	of      id.Target // a user or a document
	size    int
	after   string // the session index's own cursor
	details bool
}

func (l Limits) list(req *sluicev1.ListSocketsRequest) (*list, error) {
	c := &checker{limits: l}
	out := &list{size: int(req.GetPageSize()), details: req.GetDetails()}
	switch req.GetOf().(type) {
	case *sluicev1.ListSocketsRequest_User:
		out.of = id.UserTarget(one(c, "user", req.GetUser(), readUser))
	case *sluicev1.ListSocketsRequest_Document:
		out.of = id.DocTarget(one(c, "document", req.GetDocument(), readDocument))
	default:
		c.refuse("of", "one of user and document is needed")
	}
	if out.size == 0 {
		out.size = defaultPage
	}
	if req.GetPageSize() > maxPage {
		c.refuse("page_size", "must be at most %d", maxPage)
	}
	if t := req.GetPageToken(); t != "" && c.err() == nil {
		after, ok := parsePageToken(t, out.of)
		if !ok {
			c.refuse("page_token", "is not from a previous response of the same list")
		}
		out.after = after
	}
	return out, c.err()
}

func (l Limits) count(req *sluicev1.CountSocketsRequest) (id.Target, error) {
	c := &checker{limits: l}
	var of id.Target
	switch req.GetOf().(type) {
	case *sluicev1.CountSocketsRequest_User:
		of = id.UserTarget(one(c, "user", req.GetUser(), readUser))
	case *sluicev1.CountSocketsRequest_Document:
		of = id.DocTarget(one(c, "document", req.GetDocument(), readDocument))
	default:
		c.refuse("of", "one of user and document is needed")
	}
	return of, c.err()
}

// reply is a validated ReplyRequest.
type reply struct {
	to          replyTo
	args        []byte
	attachments [][]byte
}

func (l Limits) reply(req *sluicev1.ReplyRequest) (*reply, error) {
	c := &checker{limits: l}
	out := &reply{attachments: req.GetAttachments()}
	to, ok := parseReplyTo(req.GetReplyTo())
	if !ok {
		c.refuse("reply_to", "is not the reply_to of an event")
	}
	out.to = to
	out.args = c.args("args", "attachments", req.GetArgs(), req.GetAttachments())
	return out, c.err()
}

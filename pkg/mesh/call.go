package mesh

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc/metadata"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Call emits to one socket and waits for its answer. The boot id is filled in.
// An error of ErrUnreachable, or the end of ctx, leaves open whether the event
// was emitted; ErrUnknown means that it was not.
func (c *Client) Call(ctx context.Context, to id.Replica, req *meshv1.CallRequest) (*meshv1.CallResponse, error) {
	return unary(ctx, c, to, "call", func(ctx context.Context, mc meshv1.MeshClient, boot string) (*meshv1.CallResponse, error) {
		return mc.Call(ctx, &meshv1.CallRequest{Boot: boot, Socket: req.GetSocket(), Body: req.GetBody()})
	})
}

// Control joins, leaves or disconnects sockets. The boot id is filled in, so
// one request may be sent to many replicas. Errors are those of Call.
func (c *Client) Control(ctx context.Context, to id.Replica, req *meshv1.ControlRequest) (*meshv1.ControlResponse, error) {
	return unary(ctx, c, to, "control", func(ctx context.Context, mc meshv1.MeshClient, boot string) (*meshv1.ControlResponse, error) {
		return mc.Control(ctx, &meshv1.ControlRequest{
			Boot: boot, Op: req.GetOp(), Sockets: req.GetSockets(), Documents: req.GetDocuments(),
			Reason: req.GetReason(), Close: req.GetClose(), Namespace: req.GetNamespace(),
		})
	})
}

// Revoke withdraws tokens at one gateway. The boot id is filled in. Errors are
// those of Call; repeating it does no harm.
func (c *Client) Revoke(ctx context.Context, to id.Replica, req *meshv1.RevokeRequest) (*meshv1.RevokeResponse, error) {
	return unary(ctx, c, to, "revoke", func(ctx context.Context, mc meshv1.MeshClient, boot string) (*meshv1.RevokeResponse, error) {
		return mc.Revoke(ctx, &meshv1.RevokeRequest{
			Boot: boot, User: req.GetUser(), TokenId: req.GetTokenId(), AuthType: req.GetAuthType(),
			IssuedBefore: req.GetIssuedBefore(), Until: req.GetUntil(), Reason: req.GetReason(),
		})
	})
}

// Reply answers a client's event. The boot id is that of the request, which knows
// who received the event when our directory is older than a restart; an empty one
// is filled in. Errors are those of Call.
func (c *Client) Reply(ctx context.Context, to id.Replica, req *meshv1.ReplyRequest) (*meshv1.ReplyResponse, error) {
	return unary(ctx, c, to, "reply", func(ctx context.Context, mc meshv1.MeshClient, boot string) (*meshv1.ReplyResponse, error) {
		return mc.Reply(ctx, &meshv1.ReplyRequest{
			Boot: cmp.Or(req.GetBoot(), boot), Socket: req.GetSocket(), Namespace: req.GetNamespace(), AckId: req.GetAckId(),
			Args: req.GetArgs(), Attachments: req.GetAttachments(),
		})
	})
}

// unary makes one call to the boot that has the number to now.
func unary[T any](ctx context.Context, c *Client, to id.Replica, method string,
	call func(context.Context, meshv1.MeshClient, string) (T, error)) (resp T, err error) {
	m, err := c.lookup(ctx, to)
	if err != nil {
		return resp, err
	}
	l, err := c.take(m.Address)
	if err != nil {
		return resp, err
	}
	defer c.give(l)
	ctx, done := c.bound(ctx)
	defer done()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.CallTimeout)
		defer cancel()
	}
	begun := time.Now()
	resp, err = call(ctx, meshv1.NewMeshClient(l.cc), m.Boot)
	c.m.called(method, time.Since(begun).Seconds(), err)
	return resp, c.typed(ctx, method, to, err)
}

// otherBoot returns who answered a call that was meant for another boot; empty
// when that is not what happened. Forwarded requests are sent again to it:
// their session may be of that boot, and younger than our directory. Nobody
// gets what is not theirs by it, because the sid is secret and not reused.
func otherBoot(trailer metadata.MD, err error) string {
	if err == nil {
		return ""
	}
	if boots := trailer.Get(bootKey); len(boots) == 1 {
		return boots[0]
	}
	return ""
}

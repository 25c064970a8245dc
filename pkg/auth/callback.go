package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gotomicro/ego/core/elog"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// maxAnswerBytes bounds the component's answer: an identity with many grants.
const maxAnswerBytes = 2 << 20

// callback asks a component whose a token is. What it said is used again for a
// while; the same token is asked about once at a time; and a component that does
// not answer is left alone for a while.
type callback struct {
	name  string
	cfg   CallbackConfig
	most  int  // grants
	ends  bool // identities must end
	token string
	now   func() time.Time
	m     *Metrics

	conn    *grpc.ClientConn
	rpc     sluicev1.VerifierClient
	known   *answers
	flight  singleflight.Group
	breaker *gobreaker.CircuitBreaker[*sluicev1.VerifyResponse]
	open    chan struct{} // one for each call under way
}

// newCallback prepares a connection, which is made when it is first needed. Its
// errors begin with the setting.
func newCallback(t Type, maxGrants int, log *elog.Component, m *Metrics, now func() time.Time) (*callback, error) {
	c := &callback{
		name: t.Name, cfg: t.Callback, most: maxGrants, ends: !t.AllowUnexpiring, now: now, m: m,
		known: newAnswers(t.Callback.CacheSize), open: make(chan struct{}, t.Callback.MaxCalls),
	}
	c.breaker = gobreaker.NewCircuitBreaker[*sluicev1.VerifyResponse](gobreaker.Settings{
		Name: t.Name, MaxRequests: 1, Timeout: c.cfg.BreakerOpen,
		IsSuccessful: answered,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= uint32(c.cfg.BreakerFailures) },
		OnStateChange: func(name string, _, to gobreaker.State) {
			m.breaker.WithLabelValues(name).Set(breakerLevel(to))
			log.Warn("the verifier's circuit breaker", elog.String("type", name), elog.String("state", to.String()))
		},
	})
	m.breaker.WithLabelValues(t.Name).Set(0)
	creds, err := c.cfg.credentials()
	if err != nil {
		return nil, err
	}
	if c.token, err = c.cfg.secret(); err != nil {
		return nil, err
	}
	c.conn, err = grpc.NewClient("dns:///"+c.cfg.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithDisableRetry(), // the client comes back by itself
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.5, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
	)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	c.rpc = sluicev1.NewVerifierClient(c.conn)
	return c, nil
}

// answered tells errors that somebody who is alive has given: one token that its
// component stumbles over says nothing of the others.
func answered(err error) bool {
	switch status.Code(err) {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied,
		codes.Unauthenticated, codes.FailedPrecondition, codes.OutOfRange:
		return true
	}
	return false
}

func (c *callback) close() { _ = c.conn.Close() } // only says that it is closed already

// breakerLevel is the state as a gauge: 0 closed, 1 half open, 2 open.
func breakerLevel(s gobreaker.State) float64 { return float64(s) }

// prefixed puts a key in front of an error that begins with the rest of it.
func prefixed(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%w", key, err)
}

// verify answers from memory, or asks. Those who ask about the same token at the
// same time share one call: the first one's, which its own timeout bounds.
func (c *callback) verify(ctx context.Context, token string) (Identity, Cause) {
	if !utf8.ValidString(token) {
		return Identity{}, CauseMalformed // it could not be passed on
	}
	key := keyOf(c.name, token)
	if said, ok := c.known.get(key, c.now()); ok {
		c.m.cached.WithLabelValues(c.name, "hit").Inc()
		return said.who, said.cause
	}
	c.m.cached.WithLabelValues(c.name, "miss").Inc()
	shared, _, _ := c.flight.Do(string(key[:]), func() (any, error) {
		said := c.ask(ctx, token)
		if until := c.until(said); until.After(c.now()) {
			c.known.put(key, said, until)
		}
		return said, nil
	})
	said := shared.(answer)
	return said.who, said.cause
}

// until is how long an answer may be used again. That the component was away is
// no answer.
func (c *callback) until(said answer) time.Time {
	now := c.now()
	switch {
	case said.cause.passing():
		return now
	case said.cause != "":
		return now.Add(c.cfg.RefusedFor)
	}
	until := now.Add(c.cfg.CacheFor)
	if end := said.who.ExpiresAt; !end.IsZero() && end.Before(until) {
		until = end
	}
	return until
}

// ask calls the component, unless too many calls are open or it was given up.
func (c *callback) ask(ctx context.Context, token string) answer {
	select {
	case c.open <- struct{}{}:
		defer func() { <-c.open }()
	default:
		c.m.calls.WithLabelValues(c.name, "busy").Inc()
		return answer{cause: CauseAway}
	}
	resp, err := c.breaker.Execute(func() (*sluicev1.VerifyResponse, error) {
		// Others may wait for this call who came later: it is not cut short when
		// the first one leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.Timeout)
		defer cancel()
		if c.token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "sluice-token", c.token)
		}
		return c.rpc.Verify(ctx, &sluicev1.VerifyRequest{AuthType: c.name, Token: token})
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		c.m.calls.WithLabelValues(c.name, "given_up").Inc()
		return answer{cause: CauseAway}
	case err != nil:
		c.m.calls.WithLabelValues(c.name, "failed").Inc()
		return answer{cause: CauseAway}
	case resp.GetRefused() != nil:
		c.m.calls.WithLabelValues(c.name, "refused").Inc()
		return answer{cause: CauseCallback}
	}
	said := c.read(resp.GetIdentity())
	outcome := "ok"
	if said.cause != "" {
		outcome = "bad"
	}
	c.m.calls.WithLabelValues(c.name, outcome).Inc()
	return said
}

// read checks what the component said as if a client had said it.
func (c *callback) read(i *sluicev1.VerifyResponse_Identity) answer {
	docs, ok := checkGrants(i.GetDocuments(), c.most)
	if !ok || id.CheckUser(i.GetUser()) != nil || i.GetTokenId() != "" && id.CheckUser(i.GetTokenId()) != nil {
		return answer{cause: CauseAnswer}
	}
	who := Identity{User: id.User(i.GetUser()), AuthType: c.name, TokenID: i.GetTokenId(), Docs: docs}
	if end := i.GetExpiresAt(); end != nil {
		who.ExpiresAt = end.AsTime()
		switch {
		case end.CheckValid() != nil || who.ExpiresAt.After(endOfTime):
			return answer{cause: CauseAnswer}
		case !who.ExpiresAt.After(c.now()):
			return answer{cause: CauseExpired}
		}
	} else if c.ends {
		return answer{cause: CauseNoExpiry}
	}
	if at := i.GetIssuedAt(); at != nil {
		who.Issued = at.GetSeconds()
	}
	if isLocale(i.GetLocale()) {
		who.Locale = i.GetLocale()
	}
	if isVersion(i.GetClientVersion()) {
		who.ClientVersion = i.GetClientVersion()
	}
	return answer{who: who}
}

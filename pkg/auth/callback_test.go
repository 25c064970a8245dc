package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// verifying is a component that says whose tokens are, on a loopback port.
type verifying struct {
	sluicev1.UnimplementedVerifierServer
	t     *testing.T
	addr  string
	stop  func()
	calls atomic.Int64

	mu     sync.Mutex // guards answer
	answer func(ctx context.Context, token string) (*sluicev1.VerifyResponse, error)
}

func newVerifying(t *testing.T) *verifying {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &verifying{t: t, addr: l.Addr().String()}
	c.says(func(_ context.Context, token string) (*sluicev1.VerifyResponse, error) { return user(token), nil })
	s := grpc.NewServer()
	sluicev1.RegisterVerifierServer(s, c)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c.stop = sync.OnceFunc(func() {
		s.Stop()
		<-served
	})
	t.Cleanup(c.stop)
	return c
}

func (c *verifying) says(f func(ctx context.Context, token string) (*sluicev1.VerifyResponse, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

// Verify implements sluicev1.VerifierServer.
func (c *verifying) Verify(ctx context.Context, r *sluicev1.VerifyRequest) (*sluicev1.VerifyResponse, error) {
	c.calls.Add(1)
	c.mu.Lock()
	f := c.answer
	c.mu.Unlock()
	return f(ctx, r.GetToken())
}

// user is an identity that ends in an hour.
func user(name string, change ...func(*sluicev1.VerifyResponse_Identity)) *sluicev1.VerifyResponse {
	i := &sluicev1.VerifyResponse_Identity{User: name, ExpiresAt: timestamppb.New(now.Add(time.Hour))}
	for _, f := range change {
		f(i)
	}
	return &sluicev1.VerifyResponse{Result: &sluicev1.VerifyResponse_Identity_{Identity: i}}
}

var no = &sluicev1.VerifyResponse{Result: &sluicev1.VerifyResponse_Refused_{Refused: &sluicev1.VerifyResponse_Refused{}}}

// asking is a verifier whose only type asks the component; its clock stands at
// now until it is moved.
type asking struct {
	*Verifier
	t    *testing.T
	mu   sync.Mutex
	time time.Time
}

func newAsking(t *testing.T, c *verifying, change ...func(*Type)) *asking {
	t.Helper()
	typ := Type{Name: "app", Callback: CallbackConfig{Address: c.addr, Timeout: 5 * time.Second}}
	for _, f := range change {
		f(&typ)
	}
	cfg := DefaultConfig()
	cfg.Types = []Type{typ}
	a := &asking{t: t, time: now}
	var err error
	a.Verifier, err = newVerifier(cfg, quiet(), NewMetrics(prometheus.NewRegistry()), a.now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ran
	})
	return a
}

func (a *asking) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.time
}

func (a *asking) move(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.time = a.time.Add(d)
}

func (a *asking) verify(token string) (Identity, error) {
	a.t.Helper()
	return a.Verify(a.t.Context(), "", token)
}

// expect verifies and compares the cause, and how often the component was asked.
func (a *asking) expect(token string, want Cause, c *verifying, calls int64) {
	a.t.Helper()
	if _, err := a.verify(token); CauseOf(err) != want {
		a.t.Errorf("%s: %q, want %q", token, CauseOf(err), want)
	}
	if n := c.calls.Load(); n != calls {
		a.t.Errorf("%s: the component was asked %d times, want %d", token, n, calls)
	}
}

func TestAComponentSaysWhoAClientIs(t *testing.T) {
	c := newVerifying(t)
	var secret atomic.Value
	c.says(func(ctx context.Context, token string) (*sluicev1.VerifyResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		secret.Store(strings.Join(md.Get("sluice-token"), ","))
		return user("u-"+token, func(i *sluicev1.VerifyResponse_Identity) {
			i.Documents, i.TokenId, i.Locale, i.ClientVersion = []string{"a", "b/*"}, "jti", "de-AT", "1.2"
			i.IssuedAt = timestamppb.New(now.Add(-time.Minute))
		}), nil
	})
	a := newAsking(t, c, func(t *Type) { t.Callback.Token = "shared" })
	who, err := a.verify("opaque")
	if err != nil || who.User != "u-opaque" || who.AuthType != "app" || who.TokenID != "jti" || !who.MayJoin("b/1") || who.MayJoin("c") ||
		who.Locale != "de-AT" || who.ClientVersion != "1.2" || !who.ExpiresAt.Equal(now.Add(time.Hour)) || who.Issued != now.Add(-time.Minute).Unix() {
		t.Errorf("%+v %v", who, err)
	}
	if secret.Load() != "shared" {
		t.Errorf("the component is shown %v", secret.Load())
	}
}

func TestAnswersAreUsedAgainForAWhile(t *testing.T) {
	c := newVerifying(t)
	a := newAsking(t, c, func(t *Type) { t.Callback.CacheFor, t.Callback.RefusedFor = time.Minute, 5*time.Second })
	a.expect("x", "", c, 1)
	a.move(59 * time.Second)
	a.expect("x", "", c, 1)
	a.expect("y", "", c, 2)
	a.move(time.Second)
	a.expect("x", "", c, 3)

	c.says(func(context.Context, string) (*sluicev1.VerifyResponse, error) { return no, nil })
	a.expect("bad", CauseCallback, c, 4)
	a.move(4 * time.Second)
	a.expect("bad", CauseCallback, c, 4)
	a.move(time.Second)
	a.expect("bad", CauseCallback, c, 5)
	if n := value(t, a.m.cached.WithLabelValues("app", "hit")); n != 2 {
		t.Errorf("%v hits", n)
	}
}

func TestAnswersAreNotUsedBeyondTheirEnd(t *testing.T) {
	c := newVerifying(t)
	end := now.Add(10 * time.Second)
	c.says(func(context.Context, string) (*sluicev1.VerifyResponse, error) {
		return user("u", func(i *sluicev1.VerifyResponse_Identity) { i.ExpiresAt = timestamppb.New(end) }), nil
	})
	a := newAsking(t, c)
	a.expect("x", "", c, 1)
	a.move(10*time.Second - time.Millisecond)
	a.expect("x", "", c, 1)
	a.move(time.Millisecond)
	a.expect("x", CauseExpired, c, 2)
}

func TestTheMemoryOfAnswersIsBounded(t *testing.T) {
	c := newVerifying(t)
	a := newAsking(t, c, func(t *Type) { t.Callback.CacheSize = 3 })
	for i := range 300 {
		a.expect(fmt.Sprint(i), "", c, int64(i+1))
	}
	known := a.types["app"].callback.known
	if len(known.known) != 3 || known.order.Len() != 3 {
		t.Errorf("%d answers are kept", len(known.known))
	}
	a.expect("297", "", c, 300) // and now it is the latest
	a.expect("new", "", c, 301)
	a.expect("297", "", c, 301)
	a.expect("298", "", c, 302)
}

func TestTheSameTokenIsAskedAboutOnceAtATime(t *testing.T) {
	c := newVerifying(t)
	release := make(chan struct{})
	c.says(func(_ context.Context, token string) (*sluicev1.VerifyResponse, error) {
		<-release
		return user(token), nil
	})
	a := newAsking(t, c)
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			if who, err := a.verify(fmt.Sprint(i % 2)); err != nil || string(who.User) != fmt.Sprint(i%2) {
				wrong.Add(1)
			}
		})
	}
	eventually(t, func() bool { return c.calls.Load() == 2 && value(t, a.m.cached.WithLabelValues("app", "miss")) == 100 })
	close(release)
	wg.Wait()
	// One that came to the door when the first call had just ended asks nobody
	// either: the answer is in the memory by then, or it makes a call of its own.
	if n := c.calls.Load(); n > 4 || wrong.Load() > 0 {
		t.Errorf("%d calls for two tokens, %d wrong answers", n, wrong.Load())
	}
}

func TestAComponentThatIsAwayRefusesNobodyForGood(t *testing.T) {
	c := newVerifying(t)
	c.says(func(context.Context, string) (*sluicev1.VerifyResponse, error) {
		return nil, status.Error(codes.Unavailable, "later")
	})
	a := newAsking(t, c, func(t *Type) { t.Callback.BreakerFailures, t.Callback.BreakerOpen = 3, 2*time.Second })
	for i := range int64(3) {
		a.expect("x", CauseAway, c, i+1) // nothing is remembered
	}
	a.expect("x", CauseAway, c, 3) // the breaker is open
	_, err := a.verify("x")
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) || err.Error() != ErrUnavailable.Error() {
		t.Errorf("the outside sees %v", err)
	}
	if err := error(&refusal{CauseNoKeys}); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Error("keys that were never loaded refuse for good")
	}
	if n := value(t, a.m.results.WithLabelValues("app", "unavailable")); n != 5 {
		t.Errorf("%v counted as unavailable", n)
	}
	if n := value(t, a.m.breaker.WithLabelValues("app")); n != 2 {
		t.Errorf("the breaker is shown as %v", n)
	}
	c.says(func(_ context.Context, token string) (*sluicev1.VerifyResponse, error) { return user(token), nil })
	eventually(t, func() bool { _, err := a.verify("x"); return err == nil })
	a.expect("y", "", c, 5)
}

func TestASlowComponentIsNotWaitedFor(t *testing.T) {
	c := newVerifying(t)
	c.says(func(ctx context.Context, _ string) (*sluicev1.VerifyResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	a := newAsking(t, c, func(t *Type) { t.Callback.Timeout, t.Callback.MaxCalls = 100*time.Millisecond, 1 })
	start := time.Now()
	a.expect("x", CauseAway, c, 1)
	if took := time.Since(start); took < 100*time.Millisecond || took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	var wg sync.WaitGroup
	for i := range 100 { // one call at a time: the others do not wait
		wg.Go(func() { _, _ = a.verify(fmt.Sprint(i)) })
	}
	wg.Wait()
	if n := value(t, a.m.calls.WithLabelValues("app", "busy")); n < 90 {
		t.Errorf("%v of 100 found no room", n)
	}
}

func TestTokensThatAComponentStumblesOverOpenNoBreaker(t *testing.T) {
	c := newVerifying(t)
	c.says(func(_ context.Context, token string) (*sluicev1.VerifyResponse, error) {
		if token == "good" {
			return user(token), nil
		}
		return nil, status.Error(codes.InvalidArgument, "what is this")
	})
	a := newAsking(t, c, func(t *Type) { t.Callback.BreakerFailures = 2 })
	for i := range int64(10) {
		a.expect("bad", CauseAway, c, i+1)
		a.expect("\xff", CauseMalformed, c, i+1)
	}
	a.expect("good", "", c, 11)
}

func TestAnswersThatCannotBeAnIdentity(t *testing.T) {
	c := newVerifying(t)
	a := newAsking(t, c, func(t *Type) { t.Callback.RefusedFor = time.Nanosecond })
	type change = func(*sluicev1.VerifyResponse_Identity)
	n := int64(0)
	for name, tt := range map[string]struct {
		change change
		want   Cause
	}{
		"no user":      {func(i *sluicev1.VerifyResponse_Identity) { i.User = "" }, CauseAnswer},
		"long user":    {func(i *sluicev1.VerifyResponse_Identity) { i.User = strings.Repeat("u", 129) }, CauseAnswer},
		"longest user": {func(i *sluicev1.VerifyResponse_Identity) { i.User = strings.Repeat("u", 128) }, ""},
		"bad grant":    {func(i *sluicev1.VerifyResponse_Identity) { i.Documents = []string{""} }, CauseAnswer},
		"grants":       {func(i *sluicev1.VerifyResponse_Identity) { i.Documents = grantsOf(256) }, ""},
		"one more":     {func(i *sluicev1.VerifyResponse_Identity) { i.Documents = grantsOf(257) }, CauseAnswer},
		"100 times":    {func(i *sluicev1.VerifyResponse_Identity) { i.Documents = grantsOf(25600) }, CauseAnswer},
		"bad token id": {func(i *sluicev1.VerifyResponse_Identity) { i.TokenId = "a\nb" }, CauseAnswer},
		"no end":       {func(i *sluicev1.VerifyResponse_Identity) { i.ExpiresAt = nil }, CauseNoExpiry},
		"ended":        {func(i *sluicev1.VerifyResponse_Identity) { i.ExpiresAt = timestamppb.New(now) }, CauseExpired},
		"bad time": {func(i *sluicev1.VerifyResponse_Identity) {
			i.ExpiresAt = &timestamppb.Timestamp{Seconds: 1 << 60}
		}, CauseAnswer},
	} {
		c.says(func(context.Context, string) (*sluicev1.VerifyResponse, error) { return user("u", tt.change), nil })
		n++
		a.expect(name, tt.want, c, n)
	}
	c.says(func(context.Context, string) (*sluicev1.VerifyResponse, error) {
		return &sluicev1.VerifyResponse{}, nil
	})
	a.expect("nothing", CauseAnswer, c, n+1)
}

func TestCallbackSettingsAreChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		typ  Type
		want string
	}{
		"fine":             {Type{Callback: CallbackConfig{Address: "verify:9000"}}, ""},
		"with keys":        {Type{Secret: secret, Callback: CallbackConfig{Address: "verify:9000"}}, "exactly one of secret"},
		"with an issuer":   {Type{Issuer: "i", Callback: CallbackConfig{Address: "verify:9000"}}, "type[0].issuer: must be empty"},
		"no port":          {Type{Callback: CallbackConfig{Address: "verify"}}, "type[0].callback.address: must be host:port"},
		"no address":       {Type{Secret: secret, Callback: CallbackConfig{CacheSize: 1}}, "type[0].callback.address: must be set"},
		"CA without TLS":   {Type{Callback: CallbackConfig{Address: "v:1", CAFile: "x"}}, "type[0].callback.tls: must be set"},
		"half a pair":      {Type{Callback: CallbackConfig{Address: "v:1", TLS: true, CertFile: "x"}}, "type[0].callback.cert_file: must be set together"},
		"two tokens":       {Type{Callback: CallbackConfig{Address: "v:1", Token: "x", TokenFile: "y"}}, "type[0].callback.token: must not"},
		"timeout":          {Type{Callback: CallbackConfig{Address: "v:1", Timeout: 30*time.Second + 1}}, "callback.timeout: must be between"},
		"cache time":       {Type{Callback: CallbackConfig{Address: "v:1", CacheFor: time.Hour + 1}}, "callback.cache_for: must be between"},
		"refused time":     {Type{Callback: CallbackConfig{Address: "v:1", RefusedFor: time.Minute + 1}}, "callback.refused_for: must be between"},
		"cache size":       {Type{Callback: CallbackConfig{Address: "v:1", CacheSize: 1_000_001}}, "callback.cache_size: must be between"},
		"calls":            {Type{Callback: CallbackConfig{Address: "v:1", MaxCalls: 10_001}}, "callback.max_calls: must be between"},
		"breaker":          {Type{Callback: CallbackConfig{Address: "v:1", BreakerFailures: 1001}}, "callback.breaker_failures: must be between"},
		"breaker's time":   {Type{Callback: CallbackConfig{Address: "v:1", BreakerOpen: 5*time.Minute + 1}}, "callback.breaker_open: must be between"},
		"at their largest": {Type{Callback: CallbackConfig{Address: "v:1", CacheFor: time.Hour, CacheSize: 1_000_000, MaxCalls: 10_000, BreakerFailures: 1000, BreakerOpen: 5 * time.Minute, Timeout: 30 * time.Second}}, ""},
	} {
		tt.typ.Name = "app"
		cfg := DefaultConfig()
		cfg.Types = []Type{tt.typ}
		err := cfg.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestPolicySettingsAreChecked(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ExpiryWarning, cfg.ExpiryJitter, cfg.RenewEvery, cfg.RevocationUnknown, cfg.RevocationMemory = time.Hour+1, -1, time.Hour+1, "maybe", 1_000_001
	err := fmt.Sprint(cfg.Validate())
	for _, want := range []string{"expiry_warning:", "expiry_jitter:", "renew_every:", "revocation_unknown:", "revocation_memory:"} {
		if !strings.Contains(err, want) {
			t.Errorf("no %s in %s", want, err)
		}
	}
	cfg = DefaultConfig()
	if p := cfg.Policy(); p != (Policy{Warning: time.Minute, Jitter: 5 * time.Second, RenewEvery: time.Second, Remembered: 10_000}) || cfg.Validate() != nil {
		t.Errorf("%+v", p)
	}
	cfg.RevocationUnknown = "refuse"
	if !cfg.Policy().RefuseUnknown {
		t.Error("refuse is not heard")
	}
}

func BenchmarkAnAnswerFromMemory(b *testing.B) {
	c := &callback{name: "app", known: newAnswers(10_000), now: time.Now, m: NewMetrics(prometheus.NewRegistry())}
	token := strings.Repeat("x", 400)
	for i := range 10_000 {
		c.known.put(keyOf("app", fmt.Sprint(i)), answer{}, time.Now().Add(time.Hour))
	}
	c.known.put(keyOf("app", token), answer{who: Identity{User: "u"}}, time.Now().Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if who, cause := c.verify(b.Context(), token); cause != "" || who.User != "u" {
			b.Fatal(cause)
		}
	}
}

// eventually polls until ok.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
	}
}

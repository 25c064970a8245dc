package component

import (
	"crypto/tls"
	"errors"
	"time"

	"google.golang.org/grpc"
)

// Options says how to reach Sluice. Address, Component and Token are needed,
// or Address and a TLS config with a client certificate; everything else has a
// default.
type Options struct {
	// Address is the host:port of WS-API, or any target that gRPC understands.
	// A name with several addresses is balanced over all of them.
	Address string
	// Component is the name under which Sluice knows this service.
	Component string
	// Token is the component's secret.
	Token string
	// TLS, if not nil, encrypts, and authenticates if it holds a certificate.
	// Nil means plaintext.
	TLS *tls.Config

	// Lazy makes Dial return at once instead of waiting for a connection.
	Lazy bool
	// Timeout bounds calls whose context has no deadline. Default 3s.
	Timeout time.Duration
	// Attempts is how often a call that may be repeated is tried. Default and
	// most 3; 1 switches retries off.
	Attempts int
	// NoKeys stops Push from making idempotency keys of its own. Pushes without
	// a key are not retried.
	NoKeys bool
	// MaxMessageBytes bounds one message, either way. Default 16 MiB.
	MaxMessageBytes int

	// MaxInFlight is how many events Subscribe may have taken and not yet
	// acknowledged. Default 256, at most 4096.
	MaxInFlight int
	// Workers is how many handlers run at the same time. Default 16.
	Workers int
	// HandlerTimeout is the deadline of a handler's context. Default 5s.
	HandlerTimeout time.Duration
	// Drain is how long Subscribe waits for its handlers when it stops, before
	// it cancels their contexts. Default 10s.
	Drain time.Duration

	// OnError, if not nil, is told what went wrong and was dealt with: a broken
	// subscription that is being renewed, a handler that panicked. It is called
	// from the SDK's goroutines and must not block.
	OnError func(error)
	// DialOptions are applied last.
	DialOptions []grpc.DialOption
}

const (
	maxAttempts = 3
	maxInFlight = 4096
)

// withDefaults fills in what is zero and reports everything that is wrong.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if o.Address == "" {
		errs = append(errs, errors.New("Address: must be set"))
	}
	if o.TLS == nil && (o.Component == "" || o.Token == "") {
		errs = append(errs, errors.New("Component and Token: must be set when there is no TLS"))
	}
	def(&o.Timeout, 3*time.Second)
	def(&o.Attempts, maxAttempts)
	def(&o.MaxMessageBytes, 16<<20)
	def(&o.MaxInFlight, 256)
	def(&o.Workers, 16)
	def(&o.HandlerTimeout, 5*time.Second)
	def(&o.Drain, 10*time.Second)
	if o.Timeout < 0 || o.HandlerTimeout < 0 || o.Drain < 0 {
		errs = append(errs, errors.New("Timeout, HandlerTimeout, Drain: must not be negative"))
	}
	if o.Attempts < 1 || o.Attempts > maxAttempts {
		errs = append(errs, errors.New("Attempts: must be 1 to 3"))
	}
	if o.MaxInFlight < 1 || o.MaxInFlight > maxInFlight {
		errs = append(errs, errors.New("MaxInFlight: must be 1 to 4096"))
	}
	if o.Workers < 1 || o.Workers > maxInFlight {
		errs = append(errs, errors.New("Workers: must be 1 to 4096"))
	}
	if o.MaxMessageBytes < 1 {
		errs = append(errs, errors.New("MaxMessageBytes: must be positive"))
	}
	return o, errors.Join(errs...)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

package auth

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what verification does. Types are labelled by their configured
// names, everything else by "unknown", so the labels are bounded.
type Metrics struct {
	results   *prometheus.CounterVec
	seconds   prometheus.Histogram
	refreshes *prometheus.CounterVec
	keys      *prometheus.GaugeVec
	loadedAt  *prometheus.GaugeVec
	calls     *prometheus.CounterVec
	cached    *prometheus.CounterVec
	breaker   *prometheus.GaugeVec

	remembered *prometheus.CounterVec
}

// NewMetrics registers the collectors with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_auth_verifications_total",
			Help: "Tokens looked at, by auth type and result: ok, anonymous or the cause of the refusal.",
		}, []string{"type", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sluice_auth_verify_seconds",
			Help:    "Time to verify a token, waiting for keys included.",
			Buckets: []float64{.00001, .00005, .0001, .0005, .001, .005, .01, .1, 1, 5},
		}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_auth_jwks_loads_total",
			Help: "Loads of JWK sets, by auth type and result: ok or failed.",
		}, []string{"type", "result"}),
		keys: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_auth_jwks_keys",
			Help: "Usable keys in the JWK set, by auth type.",
		}, []string{"type"}),
		loadedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_auth_jwks_loaded_timestamp_seconds",
			Help: "When the JWK set was last loaded, by auth type; 0 if never.",
		}, []string{"type"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_auth_callback_calls_total",
			Help: "Components asked about tokens, by auth type and outcome: ok, refused, bad, failed, given_up or busy.",
		}, []string{"type", "outcome"}),
		cached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_auth_callback_cache_total",
			Help: "Look-ups of answers of components, by auth type and result: hit or miss.",
		}, []string{"type", "result"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_auth_callback_breaker",
			Help: "Circuit breakers of components, by auth type: 0 closed, 1 half open, 2 open.",
		}, []string{"type"}),
	}
	m.remembered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_auth_verified_cache_total",
		Help: "Tokens with public keys, by auth type and whether they were remembered as verified: hit or miss.",
	}, []string{"type", "result"})
	reg.MustRegister(m.remembered, m.results, m.seconds, m.refreshes, m.keys, m.loadedAt, m.calls, m.cached, m.breaker)
	return m
}

package reason

// Reason says why, in one word: lower case, digits and underscores.
type Reason string

// Requests that are refused.
const (
	TransportUnknown   Reason = "transport_unknown"
	SessionUnknown     Reason = "session_unknown"
	BadHandshakeMethod Reason = "bad_handshake_method"
	BadRequest         Reason = "bad_request"
	UnsupportedVersion Reason = "unsupported_version"
	Forbidden          Reason = "forbidden"
	Origin             Reason = "origin"
	Identity           Reason = "identity"
	AddressSessions    Reason = "address_sessions"
	AddressRate        Reason = "address_rate"
	UnknownRate        Reason = "unknown_rate"
	Draining           Reason = "draining"
	NoID               Reason = "no_id"
)

// CONNECTs that are refused.
const (
	Namespace       Reason = "namespace"
	Namespaces      Reason = "namespaces"
	Credentials     Reason = "credentials"
	Unauthorized    Reason = "unauthorized"
	AuthUnavailable Reason = "auth_unavailable"
	UserSockets     Reason = "user_sockets"
	Configured      Reason = "configured"
)

// Connections that end.
const (
	ClientClose      Reason = "client_close"
	ClientDisconnect Reason = "client_disconnect"
	TransportClose   Reason = "transport_close"
	TransportError   Reason = "transport_error"
	PingTimeout      Reason = "ping_timeout"
	ConnectTimeout   Reason = "connect_timeout"
	ParseError       Reason = "parse_error"
	Protocol         Reason = "protocol"
	TooLarge         Reason = "too_large"
	InvalidText      Reason = "invalid_text"
	Flood            Reason = "flood"
	Overlap          Reason = "overlap"
	StrayAcks        Reason = "stray_acks"
	Slow             Reason = "slow"
	ServerClose      Reason = "server_close"
	ReplicaLost      Reason = "replica_lost"
	Drain            Reason = "drain"
	Refused          Reason = "refused"
	Expired          Reason = "expired"
	Revoked          Reason = "revoked"
	Kicked           Reason = "kicked"
)

// Events that are not taken.
const (
	Busy             Reason = "busy"
	BadDocument      Reason = "bad_document"
	TooManyDocuments Reason = "too_many_documents"
	Offline          Reason = "offline"
	Internal         Reason = "internal"
)

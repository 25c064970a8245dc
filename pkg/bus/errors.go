package bus

import "errors"

var (
	// ErrFull is returned when the producer's buffer holds as many records or bytes
	// as it may. Nothing was kept: tell the client to come back later.
	ErrFull = errors.New("the producer's buffer is full")

	// ErrTimeout means that Kafka did not acknowledge a record within its age bound.
	// The outcome is unknown: it may have been written and may even be written later.
	ErrTimeout = errors.New("kafka did not acknowledge in time")

	// ErrTooLarge means that a record exceeds what the producer or the broker takes.
	// Trying again is of no use.
	ErrTooLarge = errors.New("the record is too large")

	// ErrClosed is returned by a producer whose Run has been told to end.
	ErrClosed = errors.New("the producer is closed")

	// ErrTopic is returned for a record of a topic that the configuration does not
	// name.
	ErrTopic = errors.New("the topic is not configured")

	// ErrBody is wrapped by the errors of DecodeUp and DecodePush.
	ErrBody = errors.New("not a valid body")

	// ErrHeaders is wrapped by the error that a record with unreadable routing
	// headers is put aside for.
	ErrHeaders = errors.New("not valid headers")
)

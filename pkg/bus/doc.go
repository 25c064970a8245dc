// Package bus is what travels over Kafka: the records, their routing headers and
// MessagePack bodies, the producer and the consumer loop. Use it through Open, which
// hides how the underlying EGO component is built.
//
//	client event   gateway --Enqueue--> ws.up   --Consumer--> WS-API, one group per component
//	durable push   WS-API  --Publish--> ws.down --Consumer--> gateways, one group
//	poison         Consumer --> <topic>.dlq, with the reason in its headers
//
// # Delivery
//
// A record is at least once: the producer has no idempotence and a retry repeats what
// Kafka took without our hearing of it, and a consumer that ends before its commit
// gets the same records again. Every repetition carries the same message id, so a
// receiver makes it once with Dedupe or a store of its own.
//
// Order holds per key. On the way in, a key belongs to one lane of the producer, which
// has one write under way and repeats a failed batch whole before it takes the next.
// Lanes that write at the same time share a request, a flight, of which each partition
// is decided on its own.
// On the way out, a partition is handed over in offset order, and records of a key of
// which one was refused wait for it.
//
// # Tracing
//
// Headers.TraceID is the W3C traceparent of the event itself and travels as
// X-Trace-ID, unchanged. When EGO's tracing is on, ekafka adds a Kafka header
// "traceparent" of its own to dead letters, as older versions did to each record; it
// names the write and not the event, so it is neither read nor passed on here.
package bus

package bus

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"sluice/pkg/id"
)

// Records are encoded by us, once each, when they are taken: kafka-go would do it again
// for every attempt, field by field through an io.Writer, and asks for a kafka.Message
// and a slice of headers for each. The form is that of Kafka's record batch, magic 2.
//
//	batch   size of what follows(4) | base offset(8) length(4) epoch(4) magic(1) crc(4) |
//	        attributes(2) last offset delta(4) first time(8) last time(8)
//	        producer id(8) producer epoch(2) first sequence(4) records(4) | record ...
//	record  length | attributes(1) time delta, offset delta | key, body, headers
//
// What stands behind the record's last bar is all that is known before the batch is
// made: that is what appendRecord writes, and what is copied into the batch.

// appendRecord appends a record without what depends on its place in a batch. An empty
// key and a nil body are null.
func appendRecord(dst []byte, rec *Record) []byte {
	dst = slices.Grow(dst, len(rec.Key)+len(rec.Body)+usualHeaders)
	switch {
	case rec.BySocket:
		dst = rec.Headers.Socket.Append(appendLength(dst, id.TextLen))
	case rec.Key != "":
		dst = appendSized(dst, rec.Key)
	default:
		dst = binary.AppendVarint(dst, -1)
	}
	if rec.Body == nil {
		dst = binary.AppendVarint(dst, -1)
	} else {
		dst = appendSized(dst, rec.Body)
	}
	return appendHeaders(dst, &rec.Headers)
}

// usualHeaders is about what the headers of an event take: a new buffer grows once.
const usualHeaders = 512

// keyOfRecord is the key of what appendRecord wrote; nil is none.
func keyOfRecord(record []byte) []byte {
	n, at := binary.Varint(record)
	if n < 0 {
		return nil
	}
	return record[at : at+int(n)]
}

func appendSized[T string | []byte](dst []byte, v T) []byte {
	return append(appendLength(dst, len(v)), v...)
}

// appendLength appends a number as Kafka writes it. Most fit into one byte, and there
// are two for each header.
func appendLength(dst []byte, n int) []byte {
	if n < 64 {
		return append(dst, byte(n<<1))
	}
	return binary.AppendVarint(dst, int64(n))
}

// recordOverhead is more than a record takes in a batch besides what appendRecord made
// of it.
const recordOverhead = 48

// Offsets in a batch, from the size in front of it.
const (
	batchSize       = 0
	batchLength     = 12
	batchMagic      = 20
	batchCRC        = 21
	batchChecked    = 25 // what the checksum is of begins here
	batchLastOffset = 27
	batchTimes      = 31
	batchProducer   = 47
	batchRecords    = 61
	batchHead       = 65
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordBatch is the records of one partition on their way.
type recordBatch struct {
	b       []byte // nil when empty
	records int
}

func (r *recordBatch) add(record []byte) {
	if r.records == 0 {
		var head [batchHead]byte
		r.b = append(r.b[:0], head[:]...)
	}
	var place [binary.MaxVarintLen64]byte
	delta := binary.PutVarint(place[:], int64(r.records))
	r.b = binary.AppendVarint(r.b, int64(2+delta+len(record)))
	r.b = append(r.b, 0, 0) // attributes, and the time of the batch
	r.b = append(r.b, place[:delta]...)
	r.b = append(r.b, record...)
	r.records++
}

// seal fills in the head. All records get the time at which they are written.
func (r *recordBatch) seal(at time.Time) []byte {
	b := r.b
	put32 := func(i int, v uint32) { binary.BigEndian.PutUint32(b[i:], v) }
	put32(batchSize, uint32(len(b)-4))
	put32(batchLength, uint32(len(b)-batchLength-4))
	put32(batchLength+4, ^uint32(0)) // epoch of the leader: unknown
	b[batchMagic] = 2
	put32(batchLastOffset, uint32(r.records-1))
	binary.BigEndian.PutUint64(b[batchTimes:], uint64(at.UnixMilli()))
	binary.BigEndian.PutUint64(b[batchTimes+8:], uint64(at.UnixMilli()))
	for i := batchProducer; i < batchRecords; i++ {
		b[i] = 0xff // no producer id: writes are not idempotent
	}
	put32(batchRecords, uint32(r.records))
	put32(batchCRC, crc32.Checksum(b[batchChecked:], castagnoli))
	return b
}

// maxKeptBatch bounds the buffers that are kept for the next batches.
const maxKeptBatch = 1 << 20

func (r *recordBatch) reset() {
	r.records = 0
	if cap(r.b) > maxKeptBatch {
		r.b = nil
	}
}

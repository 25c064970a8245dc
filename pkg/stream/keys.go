package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"sluice/pkg/id"
)

// shardKeys are the names in Redis that belong to one shard. They share a hash
// tag, so that a script may use several of them on a Redis Cluster.
type shardKeys struct {
	state, marks, log, channel string
	base                       string // what the keys of a target begin with
}

func newShardKeys(prefix string, shard int) shardKeys {
	base := prefix + ":stream:{" + strconv.Itoa(shard) + "}:"
	return shardKeys{
		state:   base + "state",
		marks:   base + "marks",
		log:     base + "log",
		channel: base + "live",
		base:    base,
	}
}

// A target's name may hold anything but control characters, so it comes last.
func (k *shardKeys) stream(target string) string { return k.base + "s:" + target }
func (k *shardKeys) mids(target string) string   { return k.base + "m:" + target }
func (k *shardKeys) meta(target string) string   { return k.base + "t:" + target }

// idempotency returns the key for (component, key), of bounded length whatever
// the component sends. The component's length keeps ("a", "bc") and ("ab", "c")
// apart.
func idempotency(component, key string) [sha256.Size]byte {
	b := binary.AppendUvarint(nil, uint64(len(component)))
	b = append(b, component...)
	b = append(b, key...)
	return sha256.Sum256(b)
}

func (k *shardKeys) reservation(sum [sha256.Size]byte) string {
	return k.base + "k:" + hex.EncodeToString(sum[:16])
}

// ShardOf returns the shard of a target, 0 to Shards-1. It is the same in every
// process with the same number of shards, for ever: stored positions depend on
// it.
func (s *Stream) ShardOf(t id.Target) int {
	// FNV-1a, then a mixing step because its low bits alone are weak.
	h := uint64(14695981039346656037)
	h = (h ^ uint64(t.Kind)) * 1099511628211
	for i := 0; i < len(t.Name); i++ {
		h = (h ^ uint64(t.Name[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return int(h % uint64(len(s.shards)))
}

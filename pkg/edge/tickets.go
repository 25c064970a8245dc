package edge

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
)

// minSecret is the length of a secret, which should be random: the keys made of
// it open everything that was sent in resumed TLS 1.2 sessions.
const minSecret = 32

// parseSecrets reads the lines of a ticket key file. Empty ones and those that
// begin with # are skipped. Errors do not show what they found.
func parseSecrets(text []byte) ([][]byte, error) {
	var secrets [][]byte
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(line) < minSecret {
			return nil, fmt.Errorf("line %d: a secret has at least %d characters", i+1, minSecret)
		}
		secrets = append(secrets, line)
	}
	if secrets == nil {
		return nil, errors.New("holds no secret")
	}
	return secrets, nil
}

// rotate sets the keys when the period, or a secret, has changed. The next
// period's are accepted as well, as the clocks of gateways differ.
func (t *TLS) rotate(changed bool) {
	period := t.now().UnixNano() / int64(t.files.RotateEvery)
	if period == t.period && !changed {
		return
	}
	t.period = period
	t.base.SetSessionTicketKeys(ticketKeys(t.secrets, period))
}

// ticketKeys are the keys of a period. Tickets are sealed with the first.
func ticketKeys(secrets [][]byte, period int64) [][32]byte {
	var keys [][32]byte
	for _, secret := range secrets {
		for _, p := range []int64{period, period - 1, period + 1} {
			keys = append(keys, ticketKey(secret, p))
		}
	}
	return keys
}

// ticketKey derives the key of one period, so that gateways with the same secret
// change theirs together without speaking to each other.
func ticketKey(secret []byte, period int64) (k [32]byte) {
	b, _ := hkdf.Key(sha256.New, secret, nil, "sluice tls session ticket "+strconv.FormatInt(period, 10), len(k)) // of allowed length
	copy(k[:], b)
	return k
}

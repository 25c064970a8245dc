//go:build !linux || !(amd64 || arm64)

package transport

import "errors"

const ringSize = 64

type ring struct{}

func newRing() (*ring, error) { return nil, errors.ErrUnsupported }

func (*ring) send([]sending) error { return errors.ErrUnsupported }

func (*ring) close() {}

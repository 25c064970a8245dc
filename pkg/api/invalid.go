package api

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/protoadapt"
)

// ErrInvalid is matched by every InvalidError.
var ErrInvalid = errors.New("the request is not valid")

// maxViolations bounds what one answer lists: a request with 10,000 bad ids gets
// the first few of them, not an answer larger than itself.
const maxViolations = 16

// Violation names a field of a request and says what is wrong with it. Neither
// string ever holds the field's value, which may be secret or hostile.
type Violation struct {
	Field  string // as the proto spells it, with indexes: "event.args", "sockets[3]"
	Reason string
}

// InvalidError says which fields of a request were refused and why. It becomes
// INVALID_ARGUMENT with a google.rpc.BadRequest detail.
type InvalidError struct {
	Violations []Violation // 1 to 16, in the order of the request's fields
}

// Error lists the fields and the reasons.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(v.Field)
		b.WriteString(": ")
		b.WriteString(v.Reason)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func (e *InvalidError) public() string { return e.Error() }

func (e *InvalidError) details() []protoadapt.MessageV1 {
	d := &errdetails.BadRequest{}
	for _, v := range e.Violations {
		d.FieldViolations = append(d.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Reason})
	}
	return []protoadapt.MessageV1{d}
}

// checker collects the violations of one request.
type checker struct {
	limits     Limits
	violations []Violation
}

// refuse notes a violation; those beyond maxViolations are left out.
func (c *checker) refuse(field, format string, args ...any) {
	if c.full() {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	c.violations = append(c.violations, Violation{Field: field, Reason: format})
}

// full tells loops over a request's lists to stop looking.
func (c *checker) full() bool { return len(c.violations) >= maxViolations }

func (c *checker) err() error {
	if len(c.violations) == 0 {
		return nil
	}
	return &InvalidError{Violations: c.violations}
}

// at names one entry of a list.
func at(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// Package settings reads TOML strictly, for programs that want to know all that
// is wrong with a file at once. The structs that it fills are others'.
package settings

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pelletier/go-toml/v2"
)

// Parse reads a document. Its only errors are of syntax, and say where.
func Parse(text []byte) (map[string]any, error) {
	var tree map[string]any
	err := toml.Unmarshal(text, &tree)
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, column := at.Position()
		return nil, fmt.Errorf("line %d, column %d: %w", row, column, err)
	}
	return tree, err
}

// Fill puts what was parsed over the values of to, a pointer to a struct with
// toml tags; the keys of an embedded struct are its own. Keys that are no field
// and values of another type are errors, a line each; nothing is converted but
// durations.
func Fill(to any, tree map[string]any) error {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		TagName: "toml", ErrorUnused: true, Squash: true, Result: to,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(refuseBareDuration, refuseNaN, mapstructure.StringToTimeDurationHookFunc()),
		MatchName:  func(key, field string) bool { return key == field },
	})
	if err != nil {
		return err
	}
	err = d.Decode(tree)
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return errors.Join(all.Unwrap()...) // without the heading
	}
	return err
}

// refuseBareDuration makes "25" an error where a duration is meant: whoever
// writes it means seconds, and Go would read nanoseconds.
func refuseBareDuration(from, to reflect.Type, v any) (any, error) {
	if to == reflect.TypeFor[time.Duration]() && from.Kind() != reflect.String {
		return nil, errors.New("must be a duration in quotes, such as \"25s\"")
	}
	return v, nil
}

// refuseNaN refuses the numbers of TOML that are none: no comparison with a bound
// holds for nan, so that every bound would let it pass.
func refuseNaN(_, _ reflect.Type, v any) (any, error) {
	if n, ok := v.(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
		return nil, ErrNoNumber
	}
	return v, nil
}

// ErrNoNumber is what is wrong with nan and inf.
var ErrNoNumber = errors.New("must be a number")

// Problems splits joined errors into lines, each once.
func Problems(err error) []string {
	if err == nil {
		return nil
	}
	var all []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

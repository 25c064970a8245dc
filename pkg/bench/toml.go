package bench

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pelletier/go-toml/v2"
)

// decodeTOML fills to, a pointer to a struct. Keys that are no field and values
// of another type are errors, all of them at once.
func decodeTOML(text []byte, to any) error {
	var raw map[string]any
	if err := toml.Unmarshal(text, &raw); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, column := at.Position()
			return fmt.Errorf("line %d, column %d: %w", row, column, err)
		}
		return err
	}
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		TagName: "toml", ErrorUnused: true, Result: to,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(refuseBareDuration, mapstructure.StringToTimeDurationHookFunc()),
		MatchName:  func(key, field string) bool { return key == field },
	})
	if err != nil {
		return err
	}
	return d.Decode(raw)
}

// refuseBareDuration makes a number an error where a duration is meant.
func refuseBareDuration(from, to reflect.Type, v any) (any, error) {
	if to == reflect.TypeFor[time.Duration]() && from.Kind() != reflect.String {
		return nil, errors.New(`must be a duration in quotes, such as "5s"`)
	}
	return v, nil
}

// problem lists what is wrong with a file, a line each.
func problem(file string, err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return fmt.Errorf("%s:\n  %s", file, strings.Join(lines, "\n  "))
}

package app

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"sluice/pkg/settings"
)

// envPrefix begins the environment variable of every key: transport.path is
// SLUICE_TRANSPORT_PATH. Lists are separated by commas; tables cannot be set.
const envPrefix = "SLUICE_"

// validator is a section that can say what is wrong with it. Each problem is
// one line that begins with the key.
type validator interface{ Validate() error }

// Load reads a TOML file over the values that cfg has, then the environment,
// and validates. cfg is a pointer to a struct of sections. The error names
// everything that is wrong at once: unknown keys, values of a wrong type, and
// what the sections refuse.
func Load(file string, env func(string) (string, bool), cfg any) error {
	var tree map[string]any
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("config: %w", err)
		}
		if tree, err = settings.Parse(text); err != nil {
			return fmt.Errorf("config: %s: %w", file, err)
		}
	}
	if err := errors.Join(settings.Fill(cfg, tree), override(env, cfg), sectionError(cfg)); err != nil {
		return &ConfigError{File: file, Problems: settings.Problems(err)}
	}
	return nil
}

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct {
	File     string
	Problems []string // one each, beginning with the key
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("config: %s: %d problems:\n  %s", e.File, len(e.Problems), strings.Join(e.Problems, "\n  "))
}

// field is one setting: its path in the file and its place in the struct.
type field struct {
	path  string
	value reflect.Value
}

func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.path, ".", "_"))
}

// keyed goes over the fields of a struct that have a key. Those of an embedded
// struct are its own.
func keyed(v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) { eachKeyed(reflect.Indirect(v), yield) }
}

func eachKeyed(v reflect.Value, yield func(string, reflect.Value) bool) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		more := true
		switch {
		case f.Anonymous && key == "":
			more = eachKeyed(v.Field(i), yield)
		case key != "" && key != "-":
			more = yield(key, v.Field(i))
		}
		if !more {
			return false
		}
	}
	return true
}

// fields lists the settings of a config in the order of its structs.
func fields(prefix string, v reflect.Value) []field {
	var all []field
	for key, f := range keyed(v) {
		path := key
		if prefix != "" {
			path = prefix + "." + key
		}
		if f.Kind() == reflect.Struct {
			all = append(all, fields(path, f)...)
		} else {
			all = append(all, field{path: path, value: f})
		}
	}
	return all
}

// override sets the settings that the environment names.
func override(env func(string) (string, bool), cfg any) error {
	var errs []error
	for _, f := range fields("", reflect.ValueOf(cfg)) {
		text, found := env(f.env())
		if !found {
			continue
		}
		if err := set(f.value, text); err != nil {
			errs = append(errs, fmt.Errorf("%s: from %s: %w", f.path, f.env(), err))
		}
	}
	return errors.Join(errs...)
}

// set parses text into a setting.
func set(v reflect.Value, text string) error {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("must be a duration such as 25s")
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return setNumber(v, text)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return settings.ErrNoNumber
		}
		v.SetFloat(n)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.String {
			return errors.New("can only be set in the file")
		}
		var list []string
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		v.Set(reflect.ValueOf(list))
	default:
		return errors.New("can only be set in the file")
	}
	return nil
}

func setNumber(v reflect.Value, text string) error {
	if v.CanUint() {
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return errors.New("must be a whole number, not negative")
		}
		v.SetUint(n)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return errors.New("must be a whole number")
	}
	v.SetInt(n)
	return nil
}

// sections validates every section of a config, and puts its path before each
// problem. What is between the sections is the business of their owner.
func sections(cfg any) error {
	var errs []error
	for key, f := range keyed(reflect.ValueOf(cfg)) {
		if f.Kind() == reflect.Struct {
			for _, p := range settings.Problems(sectionError(f.Addr().Interface())) {
				errs = append(errs, errors.New(key+"."+p))
			}
		}
	}
	return errors.Join(errs...)
}

// sectionError validates one section: by its own method, or part by part.
func sectionError(section any) error {
	if c, ok := section.(validator); ok {
		return c.Validate()
	}
	return sections(section)
}

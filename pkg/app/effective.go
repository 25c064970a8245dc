package app

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gotomicro/ego/core/econf"
	"github.com/pelletier/go-toml/v2"
)

// secretKeys are the last parts of the paths whose values are never printed.
var secretKeys = []string{"token", "tokens", "secret", "secrets", "password", "dsn", "hmac_secret"}

const hidden = "***"

// Effective is the configuration as the program uses it, as TOML with secrets
// hidden: what -check prints.
func Effective(cfg any) (string, error) {
	tree := treeOf(reflect.ValueOf(cfg), true)
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.SetIndentTables(false)
	if err := enc.Encode(tree); err != nil {
		return "", fmt.Errorf("print the config: %w", err)
	}
	return out.String(), nil
}

// publish hands the effective configuration to EGO, whose builders look for
// their sections in econf.
func publish(cfg any) error {
	tree := treeOf(reflect.ValueOf(cfg), false)
	settleRedis(tree)
	text, err := toml.Marshal(tree)
	if err != nil {
		return fmt.Errorf("config for EGO: %w", err)
	}
	if err := econf.LoadFromReader(bytes.NewReader(text), toml.Unmarshal); err != nil {
		return fmt.Errorf("config for EGO: %w", err)
	}
	return nil
}

// treeOf turns a config into maps: durations as text, secrets hidden on demand.
func treeOf(v reflect.Value, hide bool) map[string]any {
	tree := make(map[string]any)
	for key, f := range keyed(v) {
		tree[key] = valueOf(key, f, hide)
	}
	return tree
}

func valueOf(key string, v reflect.Value, hide bool) any {
	if hide && slices.Contains(secretKeys, key) && !v.IsZero() {
		return hidden
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return time.Duration(v.Int()).String()
	case v.Kind() == reflect.Struct:
		return treeOf(v, hide)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = treeOf(v.Index(i), hide)
		}
		return list
	case v.Kind() == reflect.Slice && v.IsNil():
		return []string{}
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		tables := make(map[string]any)
		for _, k := range v.MapKeys() {
			tables[k.String()] = treeOf(v.MapIndex(k), hide)
		}
		return tables
	default:
		return v.Interface()
	}
}

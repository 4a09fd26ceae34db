package config

import (
	"reflect"
	"slices"
)

// Changed lists the keys whose values differ, sorted; a secret by the key of
// the deployment that it is for, never its text.
func Changed(a, b Config) []string {
	before, after := valuesByKey(&a), valuesByKey(&b)
	var keys []string
	for key, v := range after {
		if old, ok := before[key]; !ok || !reflect.DeepEqual(old, v) {
			keys = append(keys, key)
		}
	}
	for key := range before {
		if _, ok := after[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func valuesByKey(c *Config) map[string]any {
	m := map[string]any{}
	for _, f := range c.fields() {
		m[f.key] = f.value.Interface()
	}
	return m
}

package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// assignText sets a field from the text of an environment variable, a flag or
// a default tag. Lists are separated by commas.
func assignText(v reflect.Value, s string) error {
	if !utf8.ValidString(s) {
		return errors.New("expected UTF-8 text")
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Slice:
		v.Set(reflect.ValueOf(splitList(s)))
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("expected true or false, got %s", quoteShort(s))
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("expected a whole number, got %s", quoteShort(s))
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("expected a number, got %s", quoteShort(s))
		}
		return setFloat(v, x)
	}
	return nil
}

func splitList(s string) []string {
	out := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func setFloat(v reflect.Value, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return errors.New("expected a finite number")
	}
	v.SetFloat(x)
	return nil
}

// assignTOML sets a field from a value as go-toml decodes it into an any.
// Nothing is converted silently: true is not "true" and 30 is not "30s".
func assignTOML(v reflect.Value, raw any) error {
	switch x := raw.(type) {
	case string:
		if v.Kind() == reflect.String || isTextType(v.Type()) {
			return assignText(v, x)
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case int64:
		return assignInteger(v, x)
	case float64:
		if v.Kind() == reflect.Float64 {
			return setFloat(v, x)
		}
	case []any:
		if v.Kind() == reflect.Slice {
			return assignList(v, x)
		}
	}
	return mismatch(v.Type(), raw)
}

func isTextType(t reflect.Type) bool {
	return t == durationType || t == bytesType || t == fileModeType
}

// assignInteger: a bare 0 is a time of zero and a bare number a size in bytes,
// but 644 is no file mode, because TOML reads it as decimal.
func assignInteger(v reflect.Value, n int64) error {
	switch {
	case v.Type() == durationType && n == 0, v.Type() == bytesType && n >= 0:
		v.SetInt(n)
	case isTextType(v.Type()):
		return mismatch(v.Type(), n)
	case v.Kind() == reflect.Int && !v.OverflowInt(n):
		v.SetInt(n)
	case v.Kind() == reflect.Float64:
		v.SetFloat(float64(n))
	default:
		return mismatch(v.Type(), n)
	}
	return nil
}

func assignList(v reflect.Value, items []any) error {
	out := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("expected a list of texts, but item %d is %s", i+1, kindOf(item))
		}
		out[i] = s
	}
	v.Set(reflect.ValueOf(out))
	return nil
}

func mismatch(want reflect.Type, got any) error {
	return fmt.Errorf("expected %s, got %s", expected(want), kindOf(got))
}

// expected is what a type wants, in words for people.
func expected(t reflect.Type) string {
	switch {
	case t == durationType:
		return `a time in quotes such as "90s", "15m" or "30d"`
	case t == bytesType:
		return `a size in quotes such as "1GiB"`
	case t == fileModeType:
		return `permissions in quotes such as "0644"`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return `a list of texts such as ["a", "b"]`
	}
	return "text in quotes"
}

func kindOf(raw any) string {
	switch raw.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

package config

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Bytes is a size, never negative. As text: a number and a unit, "1GiB",
// "500MB", "1.5TiB", "4096"; "off" is zero.
type Bytes int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// Int64 is the number of bytes.
func (b Bytes) Int64() int64 { return int64(b) }

// String gives text that parses to the same size, in the largest unit that divides it.
func (b Bytes) String() string {
	if b == 0 {
		return "0"
	}
	for _, u := range byteUnits {
		if int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText is String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what Bytes describes. The result is exact: a size that is
// no whole number of bytes is refused.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, ok := parseBytes(string(text))
	if !ok {
		return fmt.Errorf(`expected a size such as "1GiB", "500MB" or "0", got %s`, quoteShort(string(text)))
	}
	*b = Bytes(v)
	return nil
}

func parseBytes(s string) (int64, bool) {
	if s == "off" {
		return 0, true
	}
	end := len(s) - len(strings.TrimLeft(s, "0123456789."))
	unit, ok := byteUnit(strings.TrimSpace(s[end:]))
	if end == 0 || end > 24 || !ok {
		return 0, false
	}
	n, ok := new(big.Rat).SetString(s[:end])
	if !ok {
		return 0, false
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	if !n.IsInt() || !n.Num().IsInt64() {
		return 0, false
	}
	return n.Num().Int64(), true
}

func byteUnit(name string) (int64, bool) {
	if name == "" {
		return 1, true
	}
	for _, u := range byteUnits {
		if strings.EqualFold(u.name, name) {
			return u.size, true
		}
	}
	return 0, false
}

package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time, never negative. As text it is what
// time.ParseDuration takes, plus whole days in front ("30d", "1d12h"); "off"
// and "0" are zero. Whether zero is allowed is said beside each field.
type Duration time.Duration

const (
	day     = 24 * time.Hour
	maxDays = 106751 // in an int64 of nanoseconds
)

// Std is d for the standard library.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String gives text that parses to the same Duration: "off", "30d", "15m".
func (d Duration) String() string {
	if d == 0 {
		return "off"
	}
	if d > 0 && d.Std()%day == 0 {
		return strconv.FormatInt(int64(d.Std()/day), 10) + "d"
	}
	s := d.Std().String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what Duration describes; anything else is an error that
// says what was expected.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	if s == "off" || s == "0" {
		return 0, nil
	}
	bad := fmt.Errorf(`expected a time such as "90s", "15m", "30d" or "off", got %s`, quoteShort(s))
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > maxDays {
		return 0, bad
	}
	total := time.Duration(n) * day
	if rest != "" || !found {
		v, err := time.ParseDuration(rest)
		if err != nil || v < 0 || total+v < total {
			return 0, bad
		}
		total += v
	}
	return total, nil
}

package api

import (
	"encoding/json"
	"time"
)

// Time is a time that is written as null when it is zero, as the first site's
// API had it: old callers read the key without asking whether it is there.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 in UTC, or null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC())
}

package config

// Secret is a key or a password. Whoever prints, formats or marshals it gets
// stars; only Reveal gives the text.
type Secret string

const mask = "********"

// Reveal is the text itself. Call it where it is sent, nowhere else.
func (s Secret) Reveal() string { return string(s) }

// String is stars, or nothing when there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText is String: a secret is never written to a file or an answer.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

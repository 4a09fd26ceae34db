package config

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// FileMode is the nine permission bits of a file or folder. As text it is
// octal: "0644", "644" or "0o644".
type FileMode uint32

// Perm is m for the standard library.
func (m FileMode) Perm() fs.FileMode { return fs.FileMode(m) & fs.ModePerm }

// String is m in octal with a zero in front.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText is String.
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what FileMode describes; set-uid, set-gid and sticky bits are refused.
func (m *FileMode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0o"), 8, 32)
	if err != nil || v > 0o777 {
		return fmt.Errorf(`expected permissions in octal such as "0644", got %s`, quoteShort(string(text)))
	}
	*m = FileMode(v)
	return nil
}

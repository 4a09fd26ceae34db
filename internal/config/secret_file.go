package config

import (
	"strings"
	"sync"
	"time"
)

// SecretFile is a file whose secret may be replaced while it is in use. Its
// methods may be called from any goroutine.
type SecretFile struct {
	path string

	mu   sync.Mutex
	last Secret
	read time.Time // when it was last read
}

// NewSecretFile is the file at path if it holds that secret now; nil when it does
// not: then the secret is from elsewhere.
func NewSecretFile(path string, secret Secret) *SecretFile {
	f := &SecretFile{path: path}
	if path == "" || secret == "" || f.Now() != secret {
		return nil
	}
	return f
}

// secretEvery is the time between two reads of a file with a secret.
const secretEvery = time.Second

// Now is the secret that the file holds, as of at most a second ago. While it
// cannot be read, may be written by everybody, or holds no secret, it is the last
// one.
func (f *SecretFile) Now() Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.read).Abs() >= secretEvery {
		f.read = now
		data, err := readLimited(f.path, 64<<10)
		if s := strings.TrimSpace(string(data)); err == nil && s != "" && !oddSecret(s) {
			f.last = Secret(s)
		}
	}
	return f.last
}

// oddSecret reports more than one line, or letters that no key has.
func oddSecret(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

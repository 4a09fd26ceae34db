package server

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/comfyume/qmtui/internal/job"
)

// keyFile is the name in the state folder of the file with the session key.
const keyFile = "session.key"

const shortKey = 32 // bytes of text that a key file must have

// sessionKey reads the key that signs cookies, and makes the file (mode 0600)
// at the first start. A key that others may read is refused.
func sessionKey(path string) ([]byte, error) {
	raw, err := readAuthFile(path)
	if err == nil && raw == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			raw, err = makeKey(path)
		}
	}
	if isOpen(err) {
		return nil, err
	}
	if err != nil {
		return nil, badKey(path, err.Error(), "check auth.session_key_file and the permissions of its folder")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, badKey(path, "others may read it", "chmod 600 "+path)
	}
	text := bytes.TrimSpace(raw)
	if len(text) < shortKey {
		return nil, badKey(path, fmt.Sprintf("it has %d characters, fewer than %d", len(text), shortKey), "remove it, and the next start makes a new one; everybody logs in again then")
	}
	key := sha256.Sum256(append([]byte("qmtui session key\n"), text...))
	return key[:], nil
}

func makeKey(path string) ([]byte, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	text := []byte(hex.EncodeToString(secret) + "\n")
	return text, rewrite(path, "", func([]byte) ([]byte, error) { return text, nil })
}

func badKey(path, why, hint string) error {
	return &job.Error{Code: "bad_session_key", Class: job.Invalid, Message: fmt.Sprintf("the session key %s: %s", path, why), Hint: hint}
}

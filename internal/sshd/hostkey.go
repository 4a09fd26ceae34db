package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/job"
)

// hostKey reads the private key at path, which nobody but its owner may read,
// and makes one when there is none. It returns it as PEM.
func hostKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeHostKey(path)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, badHostKey(fmt.Sprintf("others may read the host key %s (mode %04o)", path, info.Mode().Perm()), "chmod 0600 it; make a new one if they may have done so")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err == nil {
		_, err = ssh.ParsePrivateKey(text)
	}
	if err != nil {
		return nil, badHostKey("the host key cannot be read: "+err.Error(), "put a private key without a passphrase there, or remove the file to get a new one")
	}
	return text, nil
}

func badHostKey(message, hint string) error {
	return &job.Error{Code: "bad_host_key", Class: job.Invalid, Message: message, Hint: hint}
}

// makeHostKey writes a new key, whole or not at all.
func makeHostKey(path string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "qmtui")
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	if err := writeKey(path, text); err != nil {
		return nil, badHostKey("the host key cannot be made: "+err.Error(), "set ssh.host_key_file to a place that this user may write to")
	}
	return text, nil
}

func writeKey(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".hostkey-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path) // replaces nothing
}

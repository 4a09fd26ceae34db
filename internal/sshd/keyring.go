package sshd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/job"
)

// maxKeysFile is in bytes.
const maxKeysFile = 1 << 20

// ReadKeysFile reads a keys file, which nobody but its owner may write to, and
// that is root or this process's user. A file that is not there is fs.ErrNotExist.
func ReadKeysFile(path string) ([]byte, error) { return ReadKeysFileOf(path, os.Geteuid()) }

// ReadKeysFileOf is ReadKeysFile with another user id in the place of this process's.
func ReadKeysFileOf(path string, uid int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkKeysFile(path, info, uid); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if err == nil && len(raw) > maxKeysFile {
		err = badKeysFile(path+" has more than 1 MiB", "take keys out of it")
	}
	return raw, err
}

func checkKeysFile(path string, info fs.FileInfo, uid int) error {
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return badKeysFile(path+" is not a file", "put the keys file there")
	case info.Mode().Perm()&0o022 != 0:
		return badKeysFile(fmt.Sprintf("others may write to %s (mode %04o), and so let themselves in", path, info.Mode().Perm()), "chmod 0600 "+path)
	case known && owner.Uid != 0 && int(owner.Uid) != uid:
		return badKeysFile(fmt.Sprintf("%s belongs to user %d, who could let themselves in", path, owner.Uid), "chown it to the manager's user")
	}
	return nil
}

func badKeysFile(message, hint string) error {
	return &job.Error{Code: "bad_keys_file", Class: job.Invalid, Message: message, Hint: hint}
}

// keyring knows the keys of some files, as they are now. It may be used from
// any goroutine.
type keyring struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	files []*keysFile
}

// keysFile is one file as it was read last.
type keysFile struct {
	path     string
	readOnly bool
	raw      []byte
	keys     map[string]Key
	trouble  string // as told last
}

func newKeyring(o Options) *keyring {
	r := &keyring{log: o.Logger, now: o.Now, files: []*keysFile{{path: o.Keys}}}
	if o.ReadOnlyKeys != "" {
		r.files = append(r.files, &keysFile{path: o.ReadOnlyKeys, readOnly: true})
	}
	return r
}

// errUnread says that a file could not be read, so that nobody knows.
var errUnread = errors.New("a keys file cannot be read")

// find is the key of somebody at that address. The error says why there is
// none; errUnread when that may be only for now.
func (r *keyring) find(pub ssh.PublicKey, addr netip.Addr) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wire := pub.Marshal()
	var k Key
	known := false
	for _, f := range r.files {
		if err := f.read(r.log); err != nil {
			return Key{}, errUnread // what it says of the key may be the narrower line
		}
		if line, ok := f.keys[string(wire)]; ok { // the file for looking is the last
			k, known = line, true
		}
	}
	if !known {
		return Key{}, errors.New("the key stands in no keys file")
	}
	if why := k.badFrom(addr, r.now()); why != "" {
		return Key{}, fmt.Errorf("the key of %s is not good: %s", k.Name, why)
	}
	return k, nil
}

// count is how many keys there are.
func (r *keyring) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, f := range r.files {
		if f.read(r.log) == nil {
			n += len(f.keys)
		}
	}
	return n
}

// read takes the file as it is now, and tells what is wrong with it once.
func (f *keysFile) read(log *slog.Logger) error {
	raw, err := ReadKeysFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = nil, nil
	}
	if err != nil {
		f.tell(log, err.Error())
		return err
	}
	if f.keys != nil && bytes.Equal(raw, f.raw) {
		return nil
	}
	var bad []LineError
	f.raw = raw
	f.keys, bad = ParseKeys(raw, f.readOnly)
	for _, b := range bad {
		log.Warn("a line of a keys file lets nobody in", "file", f.path, "line", b.Line, "why", b.Why)
	}
	f.tell(log, "")
	return nil
}

func (f *keysFile) tell(log *slog.Logger, trouble string) {
	if trouble != f.trouble && trouble != "" {
		log.Error("a keys file cannot be read; nobody new is let in by SSH", "file", f.path, "error", trouble)
	}
	f.trouble = trouble
}

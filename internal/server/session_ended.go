package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// endedFile is the name in the state folder of the file that says which
// sessions have ended before their time.
const endedFile = "sessions.json"

// endedKept is how many ended sessions of one user are kept one by one; with
// more, all that the user has until then have ended.
const endedKept = 200

// ended knows which sessions were logged out. It is on disk before the caller
// who logs out is answered. It may be used from any goroutine.
type endedSessions struct {
	path string        // empty: kept in memory only
	life time.Duration // the longest of any session

	mu   sync.Mutex
	says endedDocument
}

type endedDocument struct {
	Users map[string]endedUser `json:"users"`
}

// endedUser is what has ended of one user.
type endedUser struct {
	// Sessions has for each ended session when its last cookie expires, in
	// seconds of Unix; afterwards it need not be known.
	Sessions map[string]int64 `json:"sessions,omitempty"`
	// Before: every session that is not younger has ended, in seconds of Unix.
	Before int64 `json:"before,omitempty"`
}

// openEnded reads the file. One that is damaged is an error: sessions that
// were logged out must not come back.
func openEnded(path string, life time.Duration) (*endedSessions, error) {
	e := &endedSessions{path: path, life: life, says: endedDocument{Users: map[string]endedUser{}}}
	if path == "" {
		return e, nil
	}
	raw, err := readAuthFile(path)
	if err != nil || raw == nil {
		return e, endedError(path, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&e.says); err != nil {
		return nil, endedError(path, err)
	}
	if e.says.Users == nil {
		e.says.Users = map[string]endedUser{}
	}
	return e, nil
}

func endedError(path string, err error) error {
	if err == nil || isOpen(err) {
		return err
	}
	return &job.Error{Code: "bad_sessions_file", Class: job.Invalid, Message: fmt.Sprintf("cannot read %s: %v", path, err),
		Hint: "remove it together with " + keyFile + "; everybody logs in again then"}
}

func (e *endedSessions) has(s session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.says.Users[s.User]
	_, ended := u.Sessions[s.ID]
	return ended || s.Born.Unix() <= u.Before
}

// end ends a session, none of whose cookies lives longer than until. It has
// ended for this process also when an error says that it could not be written down.
func (e *endedSessions) end(s session, now, until time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(now)
	u := e.says.Users[s.User]
	if u.Sessions == nil {
		u.Sessions = map[string]int64{}
	}
	if u.Sessions[s.ID] = until.Unix() + 1; len(u.Sessions) > endedKept {
		u = endedUser{Before: now.Unix()}
	}
	e.says.Users[s.User] = u
	if e.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(e.path), 0o700); err != nil {
		return unwritableAuth(e.path, err)
	}
	return rewrite(e.path, "", func([]byte) ([]byte, error) {
		text, err := json.MarshalIndent(e.says, "", "  ")
		return append(text, '\n'), err
	})
}

// forget drops what no cookie can say any more; the lock is held.
func (e *endedSessions) forget(now time.Time) {
	for user, u := range e.says.Users {
		maps.DeleteFunc(u.Sessions, func(_ string, until int64) bool { return until < now.Unix() })
		if len(u.Sessions) == 0 && time.Unix(u.Before, 0).Add(e.life).Before(now) {
			delete(e.says.Users, user)
		}
	}
}

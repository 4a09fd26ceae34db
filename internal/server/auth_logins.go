package server

import (
	"cmp"
	"crypto/rand"
	"path/filepath"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// logins is everything that says who somebody is by a password, a cookie or a
// token. It may be used from any goroutine.
type logins struct {
	passwords *reread[passwords]        // nil: nobody logs in by password
	tokens    *reread[map[string]Token] // by hash; nil: no tokens
	key       signer
	ended     *endedSessions
	ttl       time.Duration
	now       func() time.Time
	secure    bool // cookies travel over https only

	failures *backoff
	// Passwords being compared, and who waits for that: browsers that their user
	// has logged in with before have places of their own.
	familiar, strangers *loginQueue
	live                liveCalls
}

// newLogins reads the files of the login. Without a state folder, key and ended
// sessions are kept in memory only and there are no tokens.
func newLogins(o Options) (*logins, error) {
	l := &logins{
		ttl: cmp.Or(o.SessionTTL, defaultTTL), now: o.Now, secure: strings.HasPrefix(o.PublicURL, "https://"),
		failures: newBackoff(o.Now), familiar: newLoginQueue(1), strangers: newLoginQueue(2),
	}
	fail := func(err error) {
		o.Logger.Error("a file of the login is not good; nobody is let in by what is wrong in it", "error", err)
	}
	if o.StateDir != "" {
		l.tokens = &reread[map[string]Token]{path: filepath.Join(o.StateDir, tokenFile), parse: byHash}
		if _, err := l.tokens.get(); err != nil {
			return nil, err
		}
		l.tokens.fail = fail
	}
	if err := l.openPasswords(o.Passwords); err != nil {
		return nil, err
	}
	if l.passwords != nil {
		l.passwords.fail = fail
	}
	return l, l.openSessions(o)
}

// openPasswords reads the password file; one that is missing or has a line
// that is not good is an error, so that it shows at the start.
func (l *logins) openPasswords(path string) error {
	if path == "" {
		return nil
	}
	l.passwords = &reread[passwords]{path: path, parse: func(raw []byte) (passwords, error) {
		if raw == nil {
			return passwords{}, &job.Error{Code: "no_password_file", Class: job.Invalid, Message: "there is no password file at " + path,
				Hint: `make it with "qmtui users add USER", or correct auth.htpasswd`}
		}
		return parsePasswords(raw)
	}}
	if _, err := l.passwords.get(); err != nil {
		return unreadablePasswords(err)
	}
	return nil
}

func (l *logins) openSessions(o Options) (err error) {
	path, key := "", o.SessionKeyFile
	if o.StateDir != "" {
		path, key = filepath.Join(o.StateDir, endedFile), cmp.Or(key, filepath.Join(o.StateDir, keyFile))
	}
	if l.passwords == nil { // nobody gets a cookie
		path, key = "", ""
	}
	if l.ended, err = openEnded(path, max(l.ttl, longestLogin)); err != nil {
		return err
	}
	if key == "" {
		l.key = make([]byte, 32)
		_, _ = rand.Read(l.key) // never fails, see crypto/rand
		return nil
	}
	l.key, err = sessionKey(key)
	return err
}

// known are the present passwords; none when there is no file.
func (l *logins) known() passwords {
	if l.passwords == nil {
		return passwords{}
	}
	p, _ := l.passwords.get() // trouble was logged, and the good lines count
	return p
}

// tokenOf is the token with that hash; false when it is nobody's. With a
// password file, only tokens of users who stand in it are good: whoever is
// taken out of it is out altogether.
func (l *logins) tokenOf(hash string) (Token, bool) {
	if l.tokens == nil {
		return Token{}, false
	}
	tokens, _ := l.tokens.get()
	t, ok := tokens[hash]
	if l.passwords != nil && l.known().hash[t.User] == "" {
		return Token{}, false
	}
	return t, ok
}

// goodSession reports whether a session that we signed is still one.
func (l *logins) goodSession(s session) bool {
	hash := l.known().hash[s.User]
	return hash != "" && s.Print == l.key.fingerprint(s.User, hash) && s.live(l.now(), l.ttl) && !l.ended.has(s)
}

// credential is what a caller showed of himself: a session or a token.
type credential struct {
	session session
	token   string // hash of the token; empty for a session
	user    string
	// readOnly says that the token is for looking.
	readOnly bool
}

func (l *logins) good(c credential) bool {
	if c.token != "" {
		t, ok := l.tokenOf(c.token)
		return ok && t.User == c.user && t.ReadOnly == c.readOnly
	}
	return l.goodSession(c.session)
}

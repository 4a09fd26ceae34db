package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// session is one login of one browser, as its cookie says it. Nothing of it is
// kept here; what is kept is which sessions have ended before their time.
type session struct {
	ID     string    // 16 random bytes, the same through all renewals
	User   string    //
	Born   time.Time // when the password was given
	Issued time.Time // when this cookie was written
	Ends   time.Time // when this cookie ends
	Print  string    // of the password's hash, so that a new password ends it
}

const (
	sessionVersion = "1"
	maxCookie      = 512 // bytes
)

var exact = base64.RawURLEncoding.Strict()

func randomID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails, see crypto/rand
	return exact.EncodeToString(id)
}

// signer signs and checks texts for one purpose each.
type signer []byte

// sum is the signature of a text; purposes keep a text that was signed for one
// thing from passing as another.
func (k signer) sum(purpose, text string) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte("qmtui " + purpose + "\n" + text))
	return exact.EncodeToString(mac.Sum(nil))
}

// seal joins fields with their signature. No field may hold a dot.
func (k signer) seal(purpose string, fields ...string) string {
	text := strings.Join(fields, ".")
	return text + "." + k.sum(purpose, text)
}

// open returns n fields whose signature is ours.
func (k signer) open(purpose, sealed string, n int) ([]string, bool) {
	at := strings.LastIndexByte(sealed, '.')
	if at < 0 || len(sealed) > maxCookie || !hmac.Equal([]byte(k.sum(purpose, sealed[:at])), []byte(sealed[at+1:])) {
		return nil, false
	}
	fields := strings.Split(sealed[:at], ".")
	return fields, len(fields) == n
}

// sealSession is the cookie's text.
func (k signer) sealSession(s session) string {
	return k.seal("session", sessionVersion, s.ID, s.User, unixText(s.Born), unixText(s.Issued), unixText(s.Ends), s.Print)
}

// openSession reads a cookie that we signed, whatever else is true of it.
func (k signer) openSession(text string) (session, bool) {
	f, ok := k.open("session", text, 7)
	if !ok || f[0] != sessionVersion || job.CheckUser(f[2]) != nil {
		return session{}, false
	}
	born, ok1 := readUnix(f[3])
	issued, ok2 := readUnix(f[4])
	ends, ok3 := readUnix(f[5])
	return session{ID: f[1], User: f[2], Born: born, Issued: issued, Ends: ends, Print: f[6]}, ok1 && ok2 && ok3
}

// fingerprint tells a user's password from the next one, and nothing else.
func (k signer) fingerprint(user, hash string) string { return k.sum("password", user+":"+hash)[:16] }

func unixText(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func readUnix(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(n, 0), err == nil && n > 0 && n < 1<<40
}

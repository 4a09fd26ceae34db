package server

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// bcryptHash is what bcrypt writes: $2x$ is a broken variant, and $2$ a very old one.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// Bounds of a hash's cost. What is above would keep a processor for seconds.
const (
	minCost = 4
	maxCost = 15
)

// passwords are the hashes of a password file by user. The zero value has none.
type passwords struct {
	hash map[string]string
	cost int // the highest of the file; zero for an empty one
}

// parsePasswords reads lines "user:hash". It returns every good line, and the
// first line that is not good as an error that names it.
func parsePasswords(raw []byte) (passwords, error) {
	p := passwords{hash: map[string]string{}}
	at := map[string]int{}
	var first error
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		user, hash, cost, err := parsePassword(strings.TrimRight(string(line), "\r\n"))
		switch {
		case err == nil && user == "":
		case err == nil && at[user] > 0:
			delete(p.hash, user) // which of the two is meant, nobody knows
			err = fmt.Errorf("%s stands in line %d already", user, at[user])
		case err == nil:
			p.hash[user], p.cost, at[user] = hash, max(p.cost, cost), n
		}
		if err != nil && first == nil {
			first = &job.Error{Code: "bad_password_file", Class: job.Invalid, Message: fmt.Sprintf("line %d of the password file: %v", n, err),
				Hint: `write it anew with "qmtui users passwd USER", or with htpasswd -B`}
		}
	}
	return p, first
}

// parsePassword reads one line; user is empty for a blank one or a comment.
func parsePassword(line string) (user, hash string, cost int, err error) {
	if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
		return "", "", 0, nil
	}
	user, hash, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return "", "", 0, fmt.Errorf("there is no colon, so no user and hash")
	case job.CheckUser(user) != nil:
		return "", "", 0, fmt.Errorf("%.40q is not a user name", user)
	}
	m := bcryptHash.FindStringSubmatch(hash)
	if m == nil {
		return "", "", 0, fmt.Errorf("the password of %s is %s; only bcrypt is safe enough", user, schemeOf(hash))
	}
	cost, _ = strconv.Atoi(m[1])
	if cost < minCost || cost > maxCost {
		return "", "", 0, fmt.Errorf("the cost of %s's hash is %d, and must be %d to %d", user, cost, minCost, maxCost)
	}
	return user, hash, cost, nil
}

// schemeOf names a hash that is not bcrypt, without showing any of it.
func schemeOf(hash string) string {
	for _, s := range []struct{ start, name string }{
		{"$apr1$", "MD5 of Apache"}, {"$1$", "MD5"}, {"$5$", "SHA-256 crypt"}, {"$6$", "SHA-512 crypt"}, {"{SHA}", "SHA-1"}, {"{SSHA}", "salted SHA-1"},
		{"$y$", "yescrypt"}, {"$argon2", "Argon2"}, {"$2", "bcrypt that is damaged or of an unsafe kind"},
	} {
		if strings.HasPrefix(hash, s.start) {
			return s.name
		}
	}
	if len(hash) == 13 {
		return "DES crypt or plain text"
	}
	return "plain text or of an unknown kind"
}

// users are the names of the file, sorted.
func (p passwords) users() []string { return slices.Sorted(maps.Keys(p.hash)) }

package server

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxPassword is in bytes. bcrypt itself reads 72 of them.
const maxPassword = 1024

// check reports whether the password is the user's.
func (p passwords) check(user, password string) bool {
	hash, more := p.work(user)
	good := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	for _, h := range more {
		_ = bcrypt.CompareHashAndPassword([]byte(h), []byte(password))
	}
	return good && p.hash[user] != "" && password != "" && len(password) <= maxPassword
}

// work is what a password is compared with: the user's hash, and more for
// nothing but the time it takes, which is the same for every user of the file
// and for a name that is not there. A hash takes twice the time of one whose
// cost is one less, so the steps from a cheap hash add up to the dearest.
func (p passwords) work(user string) (hash string, more []string) {
	top := max(p.cost, minCost)
	hash = p.hash[user]
	if hash == "" {
		return dummyHash(top), nil
	}
	cost, _ := bcrypt.Cost([]byte(hash)) // parsePasswords let no other through
	for ; cost < top; cost++ {
		more = append(more, dummyHash(cost))
	}
	return hash, more
}

// dummyHash is a hash of that cost that no known password has.
func dummyHash(cost int) string {
	return fmt.Sprintf("$2b$%02d$%s", cost, strings.Repeat("u", 53))
}

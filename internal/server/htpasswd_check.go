package server

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxPassword is in bytes. bcrypt itself reads 72 of them.
const maxPassword = 1024

// check reports whether the password is the user's. It takes the same time for
// every user of the file and for a name that is not there, whatever the costs
// of the hashes are: each cost takes twice the time of the one below, so the
// steps that follow a cheap hash add up to the dearest.
func (p passwords) check(user, password string) bool {
	hash, known := p.hash[user]
	top := max(p.cost, minCost)
	from := top
	if known {
		from, _ = bcrypt.Cost([]byte(hash)) // parsePasswords let no other through
	} else {
		hash = dummyHash(top)
	}
	good := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	for cost := from; cost < top; cost++ {
		_ = bcrypt.CompareHashAndPassword([]byte(dummyHash(cost)), []byte(password))
	}
	return good && known && password != "" && len(password) <= maxPassword
}

// dummyHash is a hash of that cost that no known password has.
func dummyHash(cost int) string {
	return fmt.Sprintf("$2b$%02d$%s", cost, strings.Repeat("u", 53))
}

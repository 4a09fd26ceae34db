package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
	"golang.org/x/crypto/bcrypt"
)

const (
	passwordCost  = 12 // about a quarter of a second
	shortPassword = 8  // bytes that a new password must have
	longPassword  = 72 // bytes of a password that bcrypt reads
)

// PasswordFile is an htpasswd file to be edited. The manager reads it again
// whenever it changes.
type PasswordFile struct {
	Path string
	// State is the manager's state folder. Its owner may read what root writes
	// here. May be empty.
	State string
	// Cost is bcrypt's, of the hashes that are written; zero means 12.
	Cost int
}

// Users lists who stands in the file. One that is not there has nobody. With an
// error, the list holds the users of the good lines.
func (f PasswordFile) Users() ([]string, error) {
	raw, err := readAuthFile(f.Path)
	if err != nil {
		return nil, unreadablePasswords(err)
	}
	p, err := parsePasswords(raw)
	return p.users(), err
}

func unreadablePasswords(err error) error {
	hint := "check auth.htpasswd"
	if errors.Is(err, fs.ErrPermission) {
		hint = "give it to the manager's user with chown, or let a group of that user read it with chgrp and chmod 0640"
	}
	if e := (*job.Error)(nil); errors.As(err, &e) {
		return err
	}
	return &job.Error{Code: "bad_password_file", Class: job.Unavailable, Message: "cannot read the password file: " + err.Error(), Hint: hint}
}

// Add writes a new user into the file, and makes the file (mode 0600) when
// there is none. All other lines stay as they are.
func (f PasswordFile) Add(user, password string) error {
	return f.edit(user, password, func(lines [][]byte, at int, line string) ([][]byte, error) {
		if at >= 0 {
			return nil, &job.Error{Code: "user_exists", Class: job.Conflict, Message: user + " has a password already", Hint: fmt.Sprintf(`change it with "qmtui users passwd %s"`, user)}
		}
		return append(lines, []byte(line)), nil
	})
}

// Set changes the password of a user of the file, which ends all of the user's
// logins.
func (f PasswordFile) Set(user, password string) error {
	return f.edit(user, password, func(lines [][]byte, at int, line string) ([][]byte, error) {
		if at < 0 {
			return nil, noSuchUser(user)
		}
		lines[at] = []byte(line)
		return lines, nil
	})
}

// Remove takes a user out of the file, which ends all of the user's logins and
// makes the user's tokens useless.
func (f PasswordFile) Remove(user string) error {
	if err := job.CheckUser(user); err != nil {
		return err
	}
	return rewrite(f.Path, f.State, func(old []byte) ([]byte, error) {
		lines, at := linesOf(old, user)
		if at < 0 {
			return nil, noSuchUser(user)
		}
		return joinLines(slices.DeleteFunc(lines, func(line []byte) bool { return bytes.HasPrefix(line, []byte(user+":")) })), nil
	})
}

func (f PasswordFile) edit(user, password string, change func(lines [][]byte, at int, line string) ([][]byte, error)) error {
	if err := firstError(job.CheckUser(user), checkPassword(password)); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cmp.Or(f.Cost, passwordCost))
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	return rewrite(f.Path, f.State, func(old []byte) ([]byte, error) {
		lines, at := linesOf(old, user)
		lines, err := change(lines, at, user+":"+string(hash))
		return joinLines(lines), err
	})
}

func checkPassword(password string) error {
	switch {
	case len(password) < shortPassword:
		return badPassword(fmt.Sprintf("is shorter than %d characters", shortPassword))
	case len(password) > longPassword:
		return badPassword(fmt.Sprintf("is longer than the %d bytes that bcrypt reads", longPassword))
	case strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return badPassword("holds a control character")
	}
	return nil
}

func badPassword(why string) error {
	return &job.Error{Code: "bad_password", Class: job.Invalid, Message: "the password " + why, Hint: "choose another, or let --generate make one"}
}

func noSuchUser(user string) error {
	return &job.Error{Code: "no_such_user", Class: job.NotFound, Message: user + " does not stand in the password file", Hint: fmt.Sprintf(`see "qmtui users list", or "qmtui users add %s"`, user)}
}

// linesOf splits a password file, and finds the user's line; -1 for none.
func linesOf(raw []byte, user string) (lines [][]byte, at int) {
	at = -1
	for line := range bytes.Lines(raw) {
		line = bytes.TrimRight(line, "\r\n")
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && string(name) == user && at < 0 {
			at = len(lines)
		}
		lines = append(lines, line)
	}
	return lines, at
}

func joinLines(lines [][]byte) []byte {
	var out []byte
	for _, line := range lines {
		out = append(append(out, line...), '\n')
	}
	return out
}

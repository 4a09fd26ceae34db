package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base32"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

func usersCommand(a *app) *cobra.Command {
	return group("users", "Say who may log in, and make tokens for scripts",
		"  qmtui users add user001 --generate\n  qmtui users list\n  qmtui users token user001 --name nightly",
		usersListCommand(a), usersAddCommand(a), usersPasswdCommand(a), usersRemoveCommand(a), usersForgetCommand(a), usersTokenCommand(a))
}

// passwordFile is the one of the configuration, which must name one.
func (a *app) passwordFile() (server.PasswordFile, error) {
	cfg, _, err := a.config()
	if err == nil && cfg.Auth.Htpasswd == "" {
		err = failed("no_password_file", "the configuration names no password file", `set auth.htpasswd, such as "/etc/qmtui/htpasswd"`)
	}
	f := server.PasswordFile{Path: cfg.Auth.Htpasswd}
	if err == nil {
		f.State, err = cfg.StateDir(nil)
	}
	return f, err
}

// userCommand makes a command that gives a user a password.
func userCommand(a *app, c *cobra.Command, done string, do func(f server.PasswordFile, user, password string) error) *cobra.Command {
	var generate bool
	c.Args = takes(1, 1, "the USER")
	c.Flags().BoolVar(&generate, "generate", false, "make a password, and print it once")
	c.RunE = func(_ *cobra.Command, args []string) error {
		f, err := a.passwordFile()
		if err != nil {
			return err
		}
		if err := job.CheckUser(args[0]); err != nil {
			return err
		}
		password, err := a.newPassword(args[0], generate)
		if err != nil {
			return err
		}
		if err := do(f, args[0], password); err != nil {
			return err
		}
		if generate {
			a.printf("%s\n", password)
		}
		a.note(done, args[0])
		return nil
	}
	return c
}

func usersAddCommand(a *app) *cobra.Command {
	return userCommand(a, &cobra.Command{Use: "add USER", Short: "Let a user log in",
		Long:    "Writes the user and a bcrypt hash into the password file (auth.htpasswd). It asks\nfor the password, or reads one line from standard input. A running manager knows\nit at once.",
		Example: "  qmtui users add user001\n  qmtui users add user001 --generate\n  qmtui users add user001 < password.txt"},
		"%s may log in now", server.PasswordFile.Add)
}

func usersPasswdCommand(a *app) *cobra.Command {
	return userCommand(a, &cobra.Command{Use: "passwd USER", Short: "Change a user's password, which ends their logins",
		Long:    "Changes the user's line of the password file. All logins of the user end; their\ntokens stay.",
		Example: "  qmtui users passwd user001"},
		"%s has a new password, and is logged out everywhere", server.PasswordFile.Set)
}

// newPassword makes a password, or asks for one.
func (a *app) newPassword(user string, generate bool) (string, error) {
	if generate {
		secret := make([]byte, 15)
		_, _ = rand.Read(secret) // never fails, see crypto/rand
		return strings.ToLower(base32.StdEncoding.EncodeToString(secret)), nil
	}
	if f, ok := a.stdin.(*os.File); ok && isTerminal(f) {
		return a.askPassword(user, int(f.Fd()))
	}
	line, err := bufio.NewReader(io.LimitReader(a.stdin, 4096)).ReadString('\n')
	if line == "" && err != nil {
		return "", failed("no_password", "no password came from standard input", "type it there, or give --generate")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askPassword asks twice without showing it.
func (a *app) askPassword(user string, terminal int) (string, error) {
	var typed [2]string
	for i, question := range []string{"password for " + user + ": ", "the same again: "} {
		_, _ = io.WriteString(a.stderr, question)
		b, err := term.ReadPassword(terminal)
		a.note("")
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", failed("no_password", "the two passwords differ", "try again")
	}
	return typed[0], nil
}

func usersRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "remove USER", Short: "Take a user's password and tokens away", Args: takes(1, 1, "the USER"),
		Long:    "Takes the user out of the password file and revokes their tokens. All logins of\nthe user end. Jobs and files stay:\nsee \"qmtui users forget\".",
		Example: "  qmtui users remove user001",
		RunE:    func(_ *cobra.Command, args []string) error { return a.removeUser(args[0]) }}
}

func (a *app) removeUser(user string) error {
	f, err := a.passwordFile()
	if err != nil {
		return err
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	if err := f.Remove(user); err != nil {
		return err
	}
	n, err := server.RevokeTokens(dir, user, "")
	if err != nil {
		return err
	}
	a.note("%s may not log in any more; %s revoked", user, plural(n, "token"))
	return nil
}

func (a *app) stateDir() (string, error) {
	cfg, _, err := a.config()
	if err != nil {
		return "", err
	}
	return cfg.StateDir(nil)
}

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// tokenFlags are what is to be done about tokens; the name of a new one when
// neither list nor revoke is given.
type tokenFlags struct {
	name, revoke string
	list         bool
	readOnly     bool
	asJSON       *bool
}

func usersTokenCommand(a *app) *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{Use: "token [USER]", Short: "Make a bearer token for a user's scripts, list or revoke them", Args: takes(0, 1, ""),
		Long: `Makes a token and prints it. That is the only time it can be seen: the state
folder holds its hash. A token may do what its user may, until it is revoked; with
--read-only it may look and change nothing. A running manager knows at once.`,
		Example: "  qmtui users token user001 --name nightly\n  qmtui users token admin --name wall --read-only\n  curl -H \"Authorization: Bearer qmt_...\" https://film.example/api/jobs\n" +
			"  qmtui users token --list\n  qmtui users token user001 --revoke nightly"}
	c.Flags().StringVar(&f.name, "name", "", "what to call the new token (else token-1 and so on)")
	c.Flags().StringVar(&f.revoke, "revoke", "", "revoke the token of that name")
	c.Flags().BoolVar(&f.list, "list", false, "list the tokens, of all users or of one")
	c.Flags().BoolVar(&f.readOnly, "read-only", false, "the new token may look and change nothing")
	c.MarkFlagsMutuallyExclusive("name", "revoke", "list")
	c.MarkFlagsMutuallyExclusive("read-only", "revoke", "list")
	f.asJSON = jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 && !f.list {
			return usage(c.CommandPath(), "the USER is missing")
		}
		return a.tokens(append(args, "")[0], f, c.Flags().Changed("revoke"))
	}
	return c
}

func (a *app) tokens(user string, f tokenFlags, revoking bool) error {
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	if user != "" {
		if err := job.CheckUser(user); err != nil {
			return err
		}
	}
	switch {
	case f.list:
		return a.listTokens(dir, user, *f.asJSON)
	case revoking:
		return a.revokeToken(dir, user, f.revoke, *f.asJSON)
	}
	return a.makeToken(dir, server.Token{User: user, Name: f.name, ReadOnly: f.readOnly, Created: time.Now()}, *f.asJSON)
}

func (a *app) makeToken(dir string, t server.Token, asJSON bool) error {
	if err := a.mayHaveToken(t.User); err != nil {
		return err
	}
	if t.Name == "" {
		all, err := server.Tokens(dir)
		if err != nil {
			return err
		}
		t.Name = freeName(all, t.User)
	}
	secret, err := server.AddToken(dir, t)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"user": t.User, "name": t.Name, "token": secret, "read_only": t.ReadOnly})
	}
	a.printf("%s\n", secret)
	a.note("this is %s's token %s, which may %s; it is not shown again", t.User, t.Name, mayWords(t))
	return nil
}

// mayWords is what a token is for.
func mayWords(t server.Token) string {
	if t.ReadOnly {
		return "only look"
	}
	return "do what its user may"
}

// mayHaveToken refuses a token that would not be good: with a password file,
// its users are all there are.
func (a *app) mayHaveToken(user string) error {
	cfg, _, err := a.config()
	if err != nil || cfg.Auth.Htpasswd == "" {
		return err
	}
	users, err := server.PasswordFile{Path: cfg.Auth.Htpasswd}.Users()
	if !slices.Contains(users, user) {
		if err != nil {
			return err
		}
		return &job.Error{Code: "no_such_user", Class: job.NotFound, Message: user + " does not stand in the password file, so the token would be good for nothing",
			Hint: fmt.Sprintf(`run "qmtui users add %s" first`, user)}
	}
	return nil
}

// freeName is the first token-N that the user does not have.
func freeName(all []server.Token, user string) string {
	for n := 1; ; n++ {
		name := fmt.Sprintf("token-%d", n)
		if !slices.ContainsFunc(all, func(t server.Token) bool { return t.User == user && t.Name == name }) {
			return name
		}
	}
}

func (a *app) revokeToken(dir, user, name string, asJSON bool) error {
	if name == "" {
		return failed("no_such_token", "the token to revoke has no name", `see "qmtui users token --list"`)
	}
	if _, err := server.RevokeTokens(dir, user, name); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]string{"user": user, "name": name, "revoked": "yes"})
	}
	a.note("%s's token %s is revoked", user, name)
	return nil
}

func (a *app) listTokens(dir, user string, asJSON bool) error {
	all, err := server.Tokens(dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(t server.Token) bool { return user != "" && t.User != user })
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"tokens": tokenRows(all)})
	}
	if len(all) == 0 {
		a.printf("no tokens\n")
		return nil
	}
	t := newColumns("USER", "NAME", "MADE", "MAY")
	for _, one := range all {
		t.add(one.User, one.Name, one.Created.Local().Format("2006-01-02 15:04"), mayWords(one))
	}
	return t.write(a.stdout)
}

// tokenRow is a token as listed: without its hash.
type tokenRow struct {
	User    string    `json:"user"`
	Name    string    `json:"name"`
	Created time.Time `json:"created_at"`
	// ReadOnly tokens may look and change nothing.
	ReadOnly bool `json:"read_only"`
}

func tokenRows(all []server.Token) []tokenRow {
	out := make([]tokenRow, 0, len(all))
	for _, t := range all {
		out = append(out, tokenRow{t.User, t.Name, t.Created, t.ReadOnly})
	}
	return out
}

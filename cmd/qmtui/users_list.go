package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/server"
)

func usersListCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List who may log in, and their tokens", Args: takes(0, 0, ""),
		Example: "  qmtui users list\n  qmtui users list --json"}
	asJSON := jsonFlag(c)
	c.RunE = func(*cobra.Command, []string) error { return a.listLogins(*asJSON) }
	return c
}

// loginRow is a user as listed.
type loginRow struct {
	User     string   `json:"user"`
	Password bool     `json:"password"`
	Admin    bool     `json:"admin"`
	Tokens   []string `json:"tokens"`
}

// listLogins lists what it can, and fails when a line of the file is not good.
func (a *app) listLogins(asJSON bool) error {
	cfg, _, err := a.config()
	if err != nil {
		return err
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	tokens, err := server.Tokens(dir)
	if err != nil {
		return err
	}
	var users []string
	var trouble error
	if cfg.Auth.Htpasswd != "" {
		users, trouble = server.PasswordFile{Path: cfg.Auth.Htpasswd}.Users()
	}
	rows := loginRows(users, cfg.Auth.Admins, tokens)
	if asJSON {
		if trouble != nil {
			return trouble
		}
		return writeJSON(a.stdout, map[string]any{"users": rows})
	}
	if len(rows) == 0 && trouble == nil {
		a.printf("nobody; see \"qmtui users add\"\n")
		return nil
	}
	t := newColumns("USER", "PASSWORD", "ADMIN", "TOKENS")
	for _, r := range rows {
		t.add(r.User, yesNo(r.Password), yesNo(r.Admin), strings.Join(r.Tokens, ", "))
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	return trouble
}

// loginRows joins passwords and tokens, sorted by user.
func loginRows(users, admins []string, tokens []server.Token) []loginRow {
	rows := map[string]loginRow{}
	row := func(user string) loginRow {
		r, ok := rows[user]
		if !ok {
			r = loginRow{User: user, Admin: slices.Contains(admins, user), Tokens: []string{}}
		}
		return r
	}
	for _, user := range users {
		r := row(user)
		r.Password = true
		rows[user] = r
	}
	for _, t := range tokens {
		r := row(t.User)
		r.Tokens = append(r.Tokens, t.Name)
		rows[t.User] = r
	}
	out := make([]loginRow, 0, len(rows))
	for _, user := range sortedKeys(rows) {
		out = append(out, rows[user])
	}
	return out
}

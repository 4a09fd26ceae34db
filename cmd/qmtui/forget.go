package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/share"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
	"github.com/comfyume/qmtui/internal/store"
)

// forgetting removes what the manager keeps of a user.
type forgetting struct {
	ledger *store.Store
	engine *engine.Engine
	disks  *share.Share
	state  string // the state folder
	cfg    config.Config
	deeds  audited
}

// forget removes what is kept of a user, or makes it anonymous; docs/operations.md
// lists what. Cut short anywhere, the same call ends the same. The audit has
// the pseudonym in the place of the name.
func (g forgetting) forget(ctx context.Context, user string, dryRun bool, by job.Caller) (job.Forgotten, error) {
	f := job.Forgotten{DryRun: dryRun, Untouched: g.untouched(user)}
	if dryRun {
		var err error
		if f.Personal, err = g.ledger.Personal(user); err != nil {
			return f, err
		}
		tokens, err := server.Tokens(g.state)
		if err != nil {
			return f, err
		}
		f.Tokens = len(slices.DeleteFunc(tokens, func(t server.Token) bool { return t.User != user }))
		f.StagedInputs, err = g.staged(ctx, user, dryRun)
		return f, err
	}
	err := g.run(ctx, user, &f)
	if f.Pseudonym != "" && job.IsUser(by.Name, user) {
		by.Name, by.Proof = f.Pseudonym, ""
	}
	g.deeds.note(by, "forget a user", f.Pseudonym, err)
	return f, err
}

// run ends with the ledger, whose last transaction removes the pseudonym's
// connection with the name: until then every step can be repeated.
func (g forgetting) run(ctx context.Context, user string, f *job.Forgotten) (err error) {
	if f.Pseudonym, err = g.ledger.BeginForget(user); err != nil {
		return err
	}
	if f.Tokens, err = server.RevokeTokens(g.state, user, ""); err != nil {
		return err
	}
	if f.StagedInputs, err = g.staged(ctx, user, false); err != nil {
		return err
	}
	if err := g.engine.ForgetUser(ctx, user, f.Pseudonym); err != nil {
		return err
	}
	f.Personal, err = g.ledger.Forget(ctx, user, f.Pseudonym, 0, engine.RememberedSetting(server.HiddenKey(user)))
	return err
}

func (g forgetting) staged(ctx context.Context, user string, dryRun bool) (int, error) {
	if !g.disks.Carries() {
		return 0, nil
	}
	return g.disks.ForgetInputs(ctx, user, dryRun)
}

// deliveredFiles is what the folder of a user's outputs is called there.
const deliveredFiles = "delivered files"

// untouched names what may still hold something of the user.
func (g forgetting) untouched(user string) []job.Untouched {
	var out []job.Untouched
	for _, place := range []job.Untouched{
		{What: deliveredFiles, Path: g.cfg.Users.Outputs, Next: "give the folder to the user, or remove it"},
		{What: "uploads and the user's other inputs", Path: g.cfg.Users.Inputs, Next: "give the folder to the user, or remove it"},
	} {
		if place.Path == "" {
			continue
		}
		place.Path = filepath.Join(place.Path, user)
		if _, err := os.Stat(place.Path); err == nil {
			out = append(out, place)
		}
	}
	if file := g.cfg.Auth.Htpasswd; file != "" {
		if users, err := (server.PasswordFile{Path: file}).Users(); err != nil || slices.Contains(users, user) {
			out = append(out, job.Untouched{What: "password", Path: file, Next: "qmtui users remove " + user})
		}
	}
	if slices.Contains(g.cfg.Auth.Admins, user) {
		out = append(out, job.Untouched{What: "name in auth.admins", Next: "remove it from the configuration"})
	}
	return append(out,
		job.Untouched{What: "accounts of a proxy", Next: "remove the user where the proxy keeps its accounts"},
		job.Untouched{What: "files on the share", Path: g.cfg.Share.Outputs, Next: "remove what the user's jobs left there, if the workers' folder is not emptied anyway"},
		job.Untouched{What: "free pages of the database", Path: filepath.Join(g.state, databaseFile), Next: `stop the manager and run "qmtui db compact"`},
		job.Untouched{What: "logs and backups", Next: "let them expire, or remove them"})
}

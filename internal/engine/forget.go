package engine

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// RememberedSetting is the ledger's key of what [Engine.Remember] keeps under key.
func RememberedSetting(key string) string { return rememberPrefix + key }

// ForgetUser puts a pseudonym in the place of a user's name in the GPU time
// measured and in who lifted the budgets, so that sums stay right, and removes
// the user's fair-share charge. It may be repeated. Jobs are not looked at.
func (e *Engine) ForgetUser(ctx context.Context, user, pseudonym string) error {
	return e.ask(ctx, func(l *loop) error {
		charged, today, spent := maps.Clone(l.charges.Users), maps.Clone(l.usage.Users), l.account.renamed(user, pseudonym)
		delete(charged, user)
		rename(today, user, pseudonym)
		err := errors.Join(
			l.ledger.SetSetting(settingCharges, charges{charged}),
			l.ledger.SetSetting(settingUsage, usage{l.usage.Day, today}),
			l.ledger.SetSetting(settingAccount, spent))
		if err == nil && job.IsUser(l.keeper.kept.Lifted.By, user) && !l.keep(func(t *tended) { t.Lifted.By = pseudonym }) {
			err = &job.Error{Code: "not_recorded", Class: job.Unavailable, Transient: true, Message: "the ledger took nothing, so the user is not forgotten yet",
				Hint: "make room on the disk of the state folder, and forget the user again"}
		}
		if err != nil {
			return err
		}
		l.charges.Users, l.usage.Users, l.account, l.standing = charged, today, spent, time.Time{}
		return nil
	})
}

// renamed is the account with the seconds of one user under another name.
func (a account) renamed(from, to string) account {
	out := maps.Clone(a)
	for day, deployments := range a {
		of := maps.Clone(deployments)
		for name, users := range deployments {
			of[name] = maps.Clone(users)
			rename(of[name], from, to)
		}
		out[day] = of
	}
	return out
}

// rename adds the seconds of one user to those of another name.
func rename(users map[string]float64, from, to string) {
	if s, ok := users[from]; ok {
		users[to] += s
		delete(users, from)
	}
}

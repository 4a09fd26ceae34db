package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// people fills a ledger with closed jobs of ada, bob and adam, an open one of
// bob that ada submitted, and all else that can name ada.
func people(t *testing.T, s *store.Store) {
	t.Helper()
	for n := 1; n <= 30; n++ {
		life := ledgertest.Story{N: n, User: []string{"ada", "bob", "adam"}[n%3], Key: fmt.Sprint("k", n)}
		facts := append(life.Whole(), life.Closed())
		if life.User == "bob" {
			facts[0].Spec.By, facts[0].Actor = "ada", "ada"
		}
		if life.User == "adam" {
			facts[len(facts)-1].Actor = "ada@laptop"
		}
		ledgertest.Record(t, s, facts...)
	}
	waits := ledgertest.Story{N: 31, User: "bob"}.Created()
	waits.Spec.By, waits.Actor = "ada", "ada"
	ledgertest.Record(t, s, waits)
	late := ledgertest.Story{N: 3, User: "ada"}.Assigned(1) // impossible, so it is kept as a reject
	late.PromptID, late.Actor = "another", "ada"
	if v, err := s.Record(late, ledgertest.Story{N: 99, User: "ada"}.Assigned(1)); err != nil || !errors.Is(v[0].Err, job.ErrImpossible) {
		t.Fatal(v, err)
	}
	for _, e := range []job.AuditEntry{
		{Actor: "ada", Via: "proxy", Verb: "cancel", Target: "x", Result: "ok"},
		{Actor: "ada@laptop", Via: "ssh", Proof: "SHA256:abc as ada", Verb: "warm", Result: "ok"},
		{Actor: "root", Via: "socket", Verb: "assign to ada", Target: "o1", Result: "ok"},
		{Actor: "adam", Via: "proxy", Verb: "assign to bob", Target: "o2", Result: "ok"},
	} {
		if err := s.Audit(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []job.Orphan{
		{ID: "o1", Path: "a.png", State: job.OrphanAssigned, User: "ada", By: "root", Dest: "a.png"},
		{ID: "o2", Path: "b.png", State: job.OrphanDiscarded, By: "ada", Reason: "a test of ada, not of adam"},
		{ID: "o3", Path: "c.png", State: job.OrphanOpen, Suggest: []string{"ada", "bob"}},
		{ID: "o4", Path: "d.png", State: job.OrphanOpen, Suggest: []string{"adam"}},
	} {
		if err := s.PutOrphan(o); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"front/hidden/ada", "front/hidden/bob"} {
		if err := s.SetSetting(key, 1); err != nil {
			t.Fatal(err)
		}
	}
}

// named lists the records of a closed ledger that have the name, whole.
func named(t *testing.T, path, name string) (out []string) {
	t.Helper()
	raw(t, path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(bucket []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				text := append(append(bytes.Clone(k), ' '), v...)
				for _, word := range strings.FieldsFunc(string(text), func(r rune) bool {
					return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_-", r)
				}) {
					if word == name {
						out = append(out, fmt.Sprintf("%s: %q", bucket, text))
						break
					}
				}
				return nil
			})
		})
	})
	return out
}

func forget(ctx context.Context, s *store.Store, user string) (pseudonym string, p job.Personal, err error) {
	if pseudonym, err = s.BeginForget(user); err == nil {
		p, err = s.Forget(ctx, user, pseudonym, 2, "front/hidden/"+user)
	}
	return pseudonym, p, err
}

func TestForget(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	people(t, s)
	want := job.Personal{Jobs: 10, Outputs: 10, Bytes: 10165, OtherJobs: 21, Audit: 3, Orphans: 3, Rejects: 1}
	if p, err := s.Personal("ada"); err != nil || p != want {
		t.Errorf("before: %+v, %v; want %+v", p, err, want)
	}
	pseudonym, p, err := forget(t.Context(), s, "ada")
	if err != nil || p != want || !strings.HasPrefix(pseudonym, "forgotten-") || job.CheckUser(pseudonym) != nil {
		t.Errorf("%q, %+v, %v; want %+v", pseudonym, p, err, want)
	}
	sound(t, s)
	if p, err := s.Personal("ada"); err != nil || p != (job.Personal{}) {
		t.Errorf("after: %+v, %v", p, err)
	}
	counts, _ := s.UserCounts()
	if total(counts["ada"]) != 0 || total(counts["bob"]) != 11 || total(counts["adam"]) != 10 {
		t.Errorf("jobs %v", counts)
	}
	open, _ := s.Open()
	if len(open) != 1 || open[0].By != pseudonym {
		t.Errorf("open: %+v", open)
	}
	audit, _ := s.AuditTail(10)
	if audit[2].Actor != pseudonym || audit[2].Proof != "" || audit[1].Verb != "assign to "+pseudonym || audit[0].Actor != "adam" {
		t.Errorf("audit: %+v", audit)
	}
	if o, _ := s.Orphan("o2"); o.By != pseudonym || o.Reason != "a test of "+pseudonym+", not of adam" {
		t.Errorf("orphan: %+v", o)
	}
	if ours, err := s.Pruned(ledgertest.Story{N: 3}.Prompt(1)); !ours || err != nil {
		t.Errorf("a prompt id of the user is unknown now (%v)", err)
	}
	ledgertest.Record(t, s, ledgertest.Story{N: 31, User: "bob"}.Assigned(1)) // the open job goes on
	again, p, err := forget(t.Context(), s, "ada")
	if err != nil || again == pseudonym || p != (job.Personal{}) {
		t.Errorf("again: %q, %+v, %v", again, p, err)
	}
	sound(t, s)
	closed(t, s)
	if left := named(t, path, "ada"); len(left) > 0 {
		t.Errorf("the name is left in\n%s", strings.Join(left, "\n"))
	}
	if left := named(t, path, "adam"); len(left) == 0 {
		t.Error("adam was forgotten")
	}
}

// Whoever has open jobs is not forgotten, and nothing has changed.
func TestForgetRefuses(t *testing.T) {
	s := open(t)
	people(t, s)
	for _, c := range []struct{ user, says string }{{"bob", "1 of bob's jobs wait or run"}, {"cyd", "1 of cyd's jobs have ended, and files of them may still come"}} {
		if c.user == "cyd" {
			ledgertest.Record(t, s, ledgertest.Story{N: 40, User: "cyd"}.Whole()...)
		}
		_, dry := s.Personal(c.user)
		_, _, err := forget(t.Context(), s, c.user)
		for _, err := range []error{dry, err} {
			if code(err) != "user_has_jobs" || job.AsError(err).Message != c.says {
				t.Errorf("%s: %v", c.user, err)
			}
		}
	}
	// A job that comes while the rest is removed is told at the end.
	pseudonym, err := s.BeginForget("ada")
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Record(t, s, ledgertest.Story{N: 50, User: "ada"}.Created())
	if _, err := s.Forget(t.Context(), "ada", pseudonym, 0); code(err) != "user_has_jobs" {
		t.Errorf("with a new job: %v", err)
	}
	sound(t, s)
}

// cutAfter is a context that ends after it was asked n times.
type cutAfter struct {
	context.Context
	n *int
}

func (c cutAfter) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// Cut short after any transaction, the same call ends the same, with the same pseudonym.
func TestForgetCutShort(t *testing.T) {
	first := newPath(t)
	s := openAt(t, first)
	people(t, s)
	var copied bytes.Buffer
	if _, err := s.Backup(&copied); err != nil {
		t.Fatal(err)
	}
	cuts := 0
	for n := 0; ; n++ {
		path := newPath(t)
		if err := errors.Join(os.MkdirAll(strings.TrimSuffix(path, "/qmtui.db"), 0o700), os.WriteFile(path, copied.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path)
		left := n
		one, _, err := forget(cutAfter{t.Context(), &left}, s, "ada")
		sound(t, s)
		closed(t, s)
		if err == nil {
			break
		}
		cuts++
		s = openAt(t, path)
		two, _, err := forget(t.Context(), s, "ada")
		if err != nil || one != two {
			t.Fatalf("cut %d: %v; first %q, then %q", n, err, one, two)
		}
		sound(t, s)
		orphans, err := s.Orphans("")
		if text, _ := json.Marshal(orphans); err != nil || bytes.Count(text, []byte(one)) != 3 {
			t.Errorf("cut %d: %s, %v", n, text, err)
		}
		closed(t, s)
		if left := named(t, path, "ada"); len(left) > 0 {
			t.Fatalf("cut %d: the name is left in\n%s", n, strings.Join(left, "\n"))
		}
	}
	if cuts < 20 {
		t.Errorf("only %d cuts", cuts)
	}
}

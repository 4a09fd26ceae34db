package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Load is who asks for what.
type Load struct {
	Users, Jobs int // users, and jobs of each
	Seed        uint64
	// Prompts are the workflows to choose from, in API format, by file name.
	Prompts fs.FS
	// Savers is the share of jobs, 0 to 1, that save with a custom node or with
	// one of ComfyUI 0.33. More than zero needs [Scene] to have [ModernDeployment].
	Savers float64
}

// User is the name of the n-th user, from 1: user001 as at the first site.
func User(n int) string { return fmt.Sprintf("user%03d", n) }

// Request is one job of the load.
type Request struct {
	User string
	N    int
	// Given is what the user has put into the own folder right before.
	Given Given
	// Seeds are those of the workflow's samplers; no other request has them.
	Seeds []uint64
	api.SubmitRequest
}

// Requests makes all requests, the same for the same load. Each differs from
// all others in its seeds and carries its user in the name of its files.
func (l Load) Requests() ([]Request, error) {
	names, err := fs.Glob(l.Prompts, "*.json")
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("find prompts: %w", errors.Join(err, fs.ErrNotExist))
	}
	dice := rand.New(rand.NewPCG(l.Seed, 1))
	var all []Request
	for n := 1; n <= l.Jobs; n++ {
		for u := 1; u <= l.Users; u++ {
			if l.Savers > 0 && dice.Float64() < l.Savers {
				r, err := saverRequest(User(u), n, dice)
				if err != nil {
					return nil, fmt.Errorf("make a request of a save node: %w", err)
				}
				all = append(all, r)
				continue
			}
			name := names[dice.IntN(len(names))]
			raw, err := fs.ReadFile(l.Prompts, name)
			if err != nil {
				return nil, fmt.Errorf("read prompt: %w", err)
			}
			r, err := personal(raw, User(u), n, strings.TrimSuffix(name, ".json"), true, dice)
			if err != nil {
				return nil, fmt.Errorf("make a request of %s: %w", name, err)
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// personal makes a user's own request of an example: other seeds, another
// take, and with rename the user in the prefix of every file.
func personal(raw []byte, user string, n int, title string, rename bool, dice *rand.Rand) (Request, error) {
	var prompt map[string]struct {
		Class  string         `json:"class_type"`
		Inputs map[string]any `json:"inputs"`
		Meta   any            `json:"_meta,omitempty"`
	}
	if err := json.Unmarshal(raw, &prompt); err != nil {
		return Request{}, err
	}
	var given Given
	var seeds []uint64
	for _, id := range sortedKeys(prompt) {
		in := prompt[id].Inputs
		if name, ok := in["image"].(string); ok && prompt[id].Class == "LoadImage" {
			var err error
			if given, err = givenFor(name, user, n); err != nil {
				return Request{}, err
			}
		}
		for _, key := range []string{"seed", "noise_seed"} {
			if _, ok := in[key].(float64); ok {
				seed := dice.Int64N(1 << 50)
				in[key], seeds = seed, append(seeds, uint64(seed))
			}
		}
		if _, ok := in["color"].(float64); ok {
			in["color"] = dice.IntN(1 << 24)
		}
		if text, ok := in["text"].(string); ok {
			in["text"] = fmt.Sprintf("%s, take %d", text, 1+dice.IntN(12)) // the simulator paints by the words
		}
		if p, ok := in["filename_prefix"].(string); ok && rename {
			in["filename_prefix"] = path.Join(path.Dir(p), Prefix(user, n, path.Base(p)))
		}
	}
	workflow, err := json.Marshal(prompt)
	return Request{User: user, N: n, Given: given, Seeds: seeds, SubmitRequest: api.SubmitRequest{
		User: user, Workflow: workflow, Name: title, Key: fmt.Sprintf("%s-%d", user, n)}}, err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Submit hands all requests in, each user from a connection of their own and
// all users at once, as after a demonstration in a workshop. A manager that is
// away, or asks to come back, is asked again: the idempotency key makes that
// safe. Before each the user puts the file that it loads into their folder below
// uploads, over the one of the job before. It calls each with the outcome of every request, in no order.
func Submit(ctx context.Context, dial func() (*api.Client, error), uploads string, requests []Request, each func(api.Job, time.Duration)) error {
	byUser := map[string][]Request{}
	for _, r := range requests {
		byUser[r.User] = append(byUser[r.User], r)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, user := range sortedKeys(byUser) {
		group.Go(func() error {
			c, err := dial()
			if err != nil {
				return err
			}
			defer c.Close()
			for _, r := range byUser[user] {
				if err := r.Given.put(uploads, user); err != nil {
					return fmt.Errorf("give job %d of %s its picture: %w", r.N, user, err)
				}
				began := time.Now()
				j, err := submitOne(ctx, c, r)
				if err != nil {
					return fmt.Errorf("submit job %d of %s: %w", r.N, user, err)
				}
				each(j, time.Since(began))
			}
			return nil
		})
	}
	return group.Wait()
}

// again is how long to wait before asking a manager that is away once more.
const again = 50 * time.Millisecond

func submitOne(ctx context.Context, c *api.Client, r Request) (api.Job, error) {
	for {
		j, _, err := c.Submit(ctx, r.SubmitRequest)
		if e := job.AsError(err); e == nil || !comesBack(e) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return api.Job{}, ctx.Err()
		case <-time.After(again):
		}
	}
}

// comesBack reports whether the same request may succeed later.
func comesBack(e *job.Error) bool {
	return e.Transient || e.Class == job.Unavailable || e.Class == job.TooMany || e.Code == api.ErrNoDaemon.Code
}

// Without is a folder of prompts less one file.
func Without(prompts fs.FS, name string) fs.FS { return without{prompts, name} }

type without struct {
	fs.FS
	name string
}

// ReadDir lists the folder less the one file; [fs.Glob] reads it.
func (w without) ReadDir(dir string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(w.FS, dir)
	return slices.DeleteFunc(list, func(d fs.DirEntry) bool { return d.Name() == w.name }), err
}

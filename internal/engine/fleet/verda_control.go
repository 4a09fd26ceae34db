package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// control is the client of the platform's control API. One serves all
// deployments, so that the account's rate is kept. Its methods may be called
// from any goroutine. No call to it wakes a replica.
type control struct {
	account Control
	base    string
	http    *http.Client
	now     func() time.Time
	gate    gate

	mu    sync.Mutex // guards token; held while one is fetched
	token token
}

// newControl is nil without an account.
func newControl(o Options) *control {
	if o.Control.ClientID == "" {
		return nil
	}
	_, look := transports(o.HTTP)
	return &control{account: o.Control, base: strings.TrimRight(o.Control.URL, "/"), http: look, now: o.Now, gate: newGate(o.Now)}
}

// ControlError is an answer of the control API other than a success.
type ControlError struct {
	Status  int    // of HTTP; zero when the answer was unreadable
	Code    string // the API's own, or a word of ours
	Message string
	wait    time.Duration // Retry-After
}

func (e *ControlError) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Code, e.Message, e.Status)
}

// Replica is one machine of a deployment as the control API lists it.
type Replica struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"` // the platform's word
	Started time.Time `json:"started_at,omitzero"`
}

// Scaling is the part of a deployment's scaling that we read.
type Scaling struct {
	Least int `json:"min_replica_count"`
	Most  int `json:"max_replica_count"`
}

func (c *control) status(ctx context.Context, name string) (string, error) {
	var out struct {
		Status string `json:"status"`
	}
	err := c.call(ctx, http.MethodGet, name, "status", nil, &out)
	return oneLine(out.Status), err
}

func (c *control) replicas(ctx context.Context, name string) ([]Replica, error) {
	var out struct {
		List *[]wireReplica `json:"list"`
	}
	if err := c.call(ctx, http.MethodGet, name, "replicas", nil, &out); err != nil {
		return nil, err
	}
	if out.List == nil { // an empty list is news; none at all is not
		return nil, &ControlError{Status: http.StatusOK, Code: "no_list", Message: "the answer has no list of replicas"}
	}
	replicas := make([]Replica, 0, len(*out.List))
	for _, w := range *out.List {
		replicas = append(replicas, w.replica())
	}
	return replicas, nil
}

type wireReplica struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Started string `json:"started_at"`
}

// replica leaves a time that cannot be read zero.
func (w wireReplica) replica() Replica {
	at, _ := time.Parse(time.RFC3339, w.Started)
	return Replica{ID: w.ID, Status: oneLine(w.Status), Started: at}
}

func (c *control) scaling(ctx context.Context, name string) (Scaling, error) {
	var out Scaling
	err := c.call(ctx, http.MethodGet, name, "scaling", nil, &out)
	return out, err
}

// setLeast is the only call that changes anything, and only Hold makes it.
func (c *control) setLeast(ctx context.Context, name string, n int) error {
	return c.call(ctx, http.MethodPatch, name, "scaling", map[string]int{"min_replica_count": n}, nil)
}

// call sends one call about a deployment; a token that is refused is replaced
// and the call sent once more. A 429 is not tried again here: the gate stays
// shut for as long as it asked for.
func (c *control) call(ctx context.Context, method, name, what string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*lookTimeout)
	defer cancel()
	a, used, err := c.once(ctx, method, name, what, in, "")
	var e *ControlError
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized && used != "" {
		a, _, err = c.once(ctx, method, name, what, in, used)
	}
	if err != nil {
		return fmt.Errorf("%s %s of %s: %w", method, what, name, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("read the %s of %s: %w", what, name, err)
	}
	return nil
}

// once is call without its second try; used is the token it went out with.
func (c *control) once(ctx context.Context, method, name, what string, in any, refused string) (a heldAnswer, used string, err error) {
	used, err = c.access(ctx, refused)
	if err != nil {
		return a, "", err
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return a, used, fmt.Errorf("write the call: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/container-deployments/"+url.PathEscape(name)+"/"+what, bytes.NewReader(body))
	if err != nil {
		return a, used, err
	}
	req.Header.Set("Authorization", "Bearer "+used)
	a, err = c.send(req)
	return a, used, err
}

// send waits for the gate and reads the answer; only a 2xx is none of the errors.
func (c *control) send(req *http.Request) (heldAnswer, error) {
	if err := c.gate.pass(req.Context()); err != nil {
		return heldAnswer{}, err
	}
	req.Header.Set("Accept", "application/json")
	if req.ContentLength > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	a, err := fetchHeld(c.http, req)
	if err != nil {
		return a, withoutAddress(err)
	}
	if a.code/100 == 2 {
		return a, nil
	}
	e := readControlError(a)
	c.gate.shut(e.wait)
	return a, e
}

func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func readControlError(a heldAnswer) *ControlError {
	var wire struct{ Code, Message string }
	_ = json.Unmarshal(a.body, &wire) // a proxy's page has neither
	e := &ControlError{Status: a.code, Code: cmp.Or(oneLine(wire.Code), "refused"),
		Message: cmp.Or(oneLine(wire.Message), strings.ToLower(http.StatusText(a.code)))}
	if a.code == http.StatusTooManyRequests || a.code == http.StatusServiceUnavailable {
		rest := retryAfter(a.header, 10*time.Minute)
		if rest > 0 {
			e.Message += ", and asked for a rest of " + span(rest)
		}
		e.wait = cmp.Or(rest, 10*time.Second)
	}
	return e
}

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// QueueStatus gets the queue at a glance.
func (c *Client) QueueStatus(ctx context.Context) (s QueueStatus, err error) {
	_, _, err = c.do(ctx, call{verb: "get queue status", method: http.MethodGet, path: PathQueueStatus}, &s)
	return s, err
}

var modePaths = map[job.Mode]string{job.ModeRunning: PathQueueResume, job.ModePaused: PathQueuePause, job.ModeDraining: PathQueueDrain}

// SetMode pauses, resumes or drains the queue.
func (c *Client) SetMode(ctx context.Context, m job.Mode) (s QueueStatus, err error) {
	path, ok := modePaths[m]
	if !ok {
		return s, &job.Error{Code: "bad_mode", Class: job.Invalid, Message: "\"" + string(m) + "\" is not a mode",
			Hint: "use running, paused or draining"}
	}
	_, _, err = c.do(ctx, call{verb: "set queue mode", method: http.MethodPost, path: path}, &s)
	return s, err
}

// AcceptShare takes the file system that is mounted now for the share.
func (c *Client) AcceptShare(ctx context.Context) (s QueueStatus, err error) {
	_, _, err = c.do(ctx, call{verb: "accept the share", method: http.MethodPost, path: PathShareAccept}, &s)
	return s, err
}

// Users lists the users.
func (c *Client) Users(ctx context.Context) (u []User, err error) {
	_, _, err = c.do(ctx, call{verb: "list users", method: http.MethodGet, path: PathUsers}, &u)
	return u, err
}

// ForgetUser removes what the manager keeps of a user, or makes it anonymous;
// with r.DryRun it only says what that would be. The error code user_has_jobs
// says that jobs of the user are still open.
func (c *Client) ForgetUser(ctx context.Context, r ForgetRequest) (f Forgotten, err error) {
	_, _, err = c.do(ctx, call{verb: "forget a user", method: http.MethodPost, path: PathUserForget, body: r, timeout: wakeTimeout}, &f)
	return f, err
}

// OutputQuery asks for a page of a user's outputs.
type OutputQuery struct {
	State  string // seen, whole, stored, abandoned or vanished; empty for all
	Limit  int    // about that many: a job's outputs come together; zero means 100
	Cursor string
}

// UserOutputs lists a user's outputs, newest job first. Total counts jobs.
func (c *Client) UserOutputs(ctx context.Context, user string, q OutputQuery) (Page[UserOutput], error) {
	v := url.Values{}
	setIf(v, "state", q.State)
	setIf(v, "cursor", q.Cursor)
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return list[UserOutput](ctx, c, call{verb: "list outputs", method: http.MethodGet, path: Path(PathUserOutputs, user), query: v})
}

// Orphans lists files that nothing attributes, in a state (empty for all).
func (c *Client) Orphans(ctx context.Context, state string) (o []Orphan, err error) {
	v := url.Values{}
	setIf(v, "state", state)
	_, _, err = c.do(ctx, call{verb: "list orphans", method: http.MethodGet, path: PathOrphans, query: v}, &o)
	return o, err
}

// AssignOrphan gives a file to a user.
func (c *Client) AssignOrphan(ctx context.Context, id job.OutputID, user string) (o Orphan, err error) {
	_, _, err = c.do(ctx, call{verb: "assign orphan", method: http.MethodPost, path: Path(PathOrphanAssign, string(id)),
		body: AssignRequest{user}}, &o)
	return o, err
}

// UnassignOrphan undoes an assignment: the copy in the user's folder is removed
// and the orphan is open again. The error code not_taken_back says that the copy
// is not what was delivered any more, or the last one, and stays.
func (c *Client) UnassignOrphan(ctx context.Context, id job.OutputID) (o Orphan, err error) {
	_, _, err = c.do(ctx, call{verb: "unassign orphan", method: http.MethodPost, path: Path(PathOrphanUnassign, string(id))}, &o)
	return o, err
}

// DiscardOrphan settles that nobody gets a file.
func (c *Client) DiscardOrphan(ctx context.Context, id job.OutputID, reason string) (o Orphan, err error) {
	_, _, err = c.do(ctx, call{verb: "discard orphan", method: http.MethodPost, path: Path(PathOrphanDiscard, string(id)),
		body: DiscardRequest{reason}}, &o)
	return o, err
}

// Workers lists the deployments.
func (c *Client) Workers(ctx context.Context) (w []Worker, err error) {
	_, _, err = c.do(ctx, call{verb: "list workers", method: http.MethodGet, path: PathWorkers}, &w)
	return w, err
}

// ActivateWorker sends jobs to that deployment from now on.
func (c *Client) ActivateWorker(ctx context.Context, name string) (Worker, error) {
	return c.worker(ctx, "activate worker", PathWorkerActivate, name)
}

// WarmWorker wakes a deployment, which costs money, and waits for it.
func (c *Client) WarmWorker(ctx context.Context, name string) (Worker, error) {
	return c.worker(ctx, "warm worker", PathWorkerWarm, name)
}

// CheckWorker asks a deployment how it is, which wakes a sleeping one.
func (c *Client) CheckWorker(ctx context.Context, name string) (Worker, error) {
	return c.worker(ctx, "check worker", PathWorkerCheck, name)
}

func (c *Client) worker(ctx context.Context, verb, pattern, name string) (w Worker, err error) {
	_, _, err = c.do(ctx, call{verb: verb, method: http.MethodPost, path: Path(pattern, name), timeout: wakeTimeout}, &w)
	return w, err
}

// Spend gets what the last days cost, today first; days below 1 means today alone.
func (c *Client) Spend(ctx context.Context, days int) (d []SpendDay, err error) {
	v := url.Values{}
	if days > 0 {
		v.Set("days", strconv.Itoa(days))
	}
	_, _, err = c.do(ctx, call{verb: "get spending", method: http.MethodGet, path: PathSpend, query: v}, &d)
	return d, err
}

// Audit lists the newest deeds of people and rules, newest first. limit below 1
// means 100, a zero since all there are, and text is looked for in every field.
func (c *Client) Audit(ctx context.Context, limit int, since time.Time, text string) (a []AuditEntry, err error) {
	v := url.Values{}
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	if !since.IsZero() {
		v.Set("since", since.UTC().Format(time.RFC3339))
	}
	setIf(v, "q", text)
	_, _, err = c.do(ctx, call{verb: "read the audit log", method: http.MethodGet, path: PathAudit, query: v}, &a)
	return a, err
}

// LiftBudget lets spending go on beyond the budgets until midnight; an error
// when none is reached.
func (c *Client) LiftBudget(ctx context.Context) (s QueueStatus, err error) {
	_, _, err = c.do(ctx, call{verb: "lift the budget", method: http.MethodPost, path: PathSpendLift}, &s)
	return s, err
}

// Health gets the manager's health.
func (c *Client) Health(ctx context.Context) (h Health, err error) {
	_, _, err = c.do(ctx, call{verb: "get health", method: http.MethodGet, path: PathHealth}, &h)
	return h, err
}

// Ready asks whether the manager takes jobs. Not being ready is no error.
func (c *Client) Ready(ctx context.Context) (r Readiness, err error) {
	resp, err := c.send(ctx, call{method: http.MethodGet, path: PathReady})
	if err != nil {
		return r, c.explain(ctx, "ask for readiness", err)
	}
	defer resp.Body.Close()
	if err := decodeReadiness(resp, &r); err != nil {
		return Readiness{}, err
	}
	return r, nil
}

// ConsoleLog hands over what a browser's console said; v is any JSON.
func (c *Client) ConsoleLog(ctx context.Context, v any) error {
	if v == nil {
		return errors.New("send console log: nothing to send")
	}
	_, _, err := c.do(ctx, call{verb: "send console log", method: http.MethodPost, path: PathConsoleLogs, body: v}, nil)
	return err
}

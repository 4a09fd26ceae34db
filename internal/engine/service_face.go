package engine

import "github.com/comfyume/qmtui/internal/job"

// rememberPrefix keeps what callers remember apart from the loop's own settings.
const rememberPrefix = "front/"

// ByKey finds a user's job by its idempotency key; job.ErrNoJob when there is none.
func (e *Engine) ByKey(user, key string) (job.Job, error) { return e.ledger.ByKey(user, key) }

// Delivered opens the file at dest below the user's folder.
func (e *Engine) Delivered(user, dest string) (File, error) { return e.share.Open(user, dest) }

// Remembered reads what Remember kept under key into v; false when there is nothing.
func (e *Engine) Remembered(key string, v any) (bool, error) {
	return e.ledger.Setting(rememberPrefix+key, v)
}

// Remember keeps v (as JSON) under key, durably.
func (e *Engine) Remember(key string, v any) error {
	return e.ledger.SetSetting(rememberPrefix+key, v)
}

// Nodes is what the workers of the active deployment last listed of their
// nodes, or those of another when nothing is known of it. It asks nobody.
func (e *Engine) Nodes() job.NodeList { return e.fleet.Nodes(e.board.Load().status.Active) }

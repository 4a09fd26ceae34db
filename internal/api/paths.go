package api

import (
	"net/url"
	"strings"
)

// The paths of the contract, as patterns of [net/http.ServeMux]. Fill them with [Path].
const (
	PathJobs        = "/api/jobs"
	PathActions     = "/api/jobs/actions"
	PathJob         = "/api/jobs/{id}"
	PathJobCancel   = "/api/jobs/{id}/cancel"
	PathJobRetry    = "/api/jobs/{id}/retry"
	PathJobPriority = "/api/jobs/{id}/priority"
	PathJobEvents   = "/api/jobs/{id}/events"
	PathJobWorkflow = "/api/jobs/{id}/workflow"

	PathQueueStatus = "/api/queue/status"
	PathQueuePause  = "/api/queue/pause"
	PathQueueResume = "/api/queue/resume"
	PathQueueDrain  = "/api/queue/drain"
	PathShareAccept = "/api/share/accept"

	PathUsers          = "/api/users"
	PathUserForget     = "/api/users/forget"
	PathUserOutputs    = "/api/users/{user}/outputs"
	PathOrphans        = "/api/orphans"
	PathOrphanAssign   = "/api/orphans/{id}/assign"
	PathOrphanUnassign = "/api/orphans/{id}/unassign"
	PathOrphanPreview  = "/api/orphans/{id}/preview"
	PathOrphanDiscard  = "/api/orphans/{id}/discard"

	PathWorkers        = "/api/workers"
	PathWorkerActivate = "/api/workers/{name}/activate"
	PathWorkerWarm     = "/api/workers/{name}/warm"
	PathWorkerCheck    = "/api/workers/{name}/check"

	PathSpend     = "/api/spend"
	PathSpendLift = "/api/spend/lift"

	PathAudit = "/api/audit"

	PathOutputFile    = "/api/outputs/{id}/file"
	PathOutputPreview = "/api/outputs/{id}/preview"

	PathEvents      = "/api/events"
	PathLog         = "/api/log"
	PathLogLevel    = "/api/log/level"
	PathDoctor      = "/api/doctor"
	PathSocket      = "/ws"
	PathConsoleLogs = "/api/console-logs"
	PathBackup      = "/api/admin/backup"
	PathHealth      = "/health"
	PathAPIHealth   = "/api/health"
	PathReady       = "/readyz"
	PathMetrics     = "/metrics"
	PathFavicon     = "/favicon.ico"
)

// The paths of the login.
const (
	PathLogin  = "/auth/login"
	PathLogout = "/auth/logout"
	PathVerify = "/auth/verify"
)

// Headers of the contract.
const (
	HeaderKey        = "Idempotency-Key"
	HeaderTotal      = "X-Total-Count"
	HeaderNextCursor = "X-Next-Cursor"
)

// Path fills the {places} of a pattern with values in order, escaped.
func Path(pattern string, values ...string) string {
	for _, v := range values {
		from, to := strings.IndexByte(pattern, '{'), strings.IndexByte(pattern, '}')
		if from < 0 || to < from {
			break
		}
		// A filled place must not be found again: PathEscape escapes braces.
		pattern = pattern[:from] + url.PathEscape(v) + pattern[to+1:]
	}
	return pattern
}

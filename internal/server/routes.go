package server

import (
	"net/http"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// handler answers one call; an error that it returns becomes the answer.
type handler func(w http.ResponseWriter, r *request) error

// route is one call of the contract.
type route struct {
	method, path string
	do           handler
	// public calls are answered to callers who are not known as well.
	public bool
}

// routes is every call there is; docs/protocol.md describes each.
func (s *Server) routes() []route {
	return []route{
		{"POST", api.PathJobs, s.submit, false},
		{"GET", api.PathJobs, s.listJobs, false},
		{"POST", api.PathActions, s.actions, false},
		{"GET", api.PathJob, s.getJob, false},
		{"DELETE", api.PathJob, s.deleteJob, false},
		{"POST", api.PathJobCancel, s.act(job.DoCancel), false},
		{"POST", api.PathJobRetry, s.act(job.DoRetry), false},
		{"PATCH", api.PathJobPriority, s.setPriority, false},
		{"GET", api.PathJobEvents, s.jobFacts, false},
		{"GET", api.PathJobWorkflow, s.jobWorkflow, false},

		{"GET", api.PathQueueStatus, s.queueStatus, false},
		{"POST", api.PathQueuePause, s.setMode(job.ModePaused), false},
		{"POST", api.PathQueueResume, s.setMode(job.ModeRunning), false},
		{"POST", api.PathQueueDrain, s.setMode(job.ModeDraining), false},
		{"POST", api.PathShareAccept, s.acceptShare, false},

		{"GET", api.PathUsers, s.listUsers, false},
		{"POST", api.PathUserForget, s.forgetUser, false},
		{"GET", api.PathUserOutputs, s.userOutputs, false},
		{"GET", api.PathOrphans, s.listOrphans, false},
		{"POST", api.PathOrphanAssign, s.assignOrphan, false},
		{"POST", api.PathOrphanUnassign, s.unassignOrphan, false},
		{"GET", api.PathOrphanPreview, s.orphanPreview, false},
		{"POST", api.PathOrphanDiscard, s.discardOrphan, false},

		{"GET", api.PathWorkers, s.listWorkers, false},
		{"POST", api.PathWorkerActivate, s.worker("choosing the active deployment", Service.ActivateWorker), false},
		{"POST", api.PathWorkerWarm, s.worker("waking a deployment", Service.WarmWorker), false},
		{"POST", api.PathWorkerCheck, s.worker("asking a deployment", Service.CheckWorker), false},

		{"GET", api.PathSpend, s.spend, false},
		{"POST", api.PathSpendLift, s.liftBudget, false},

		{"GET", api.PathAudit, s.audit, false},

		{"GET", api.PathOutputFile, s.outputFile, false},
		{"GET", api.PathOutputPreview, s.outputPreview, false},

		{"GET", api.PathEvents, s.events, false},
		{"GET", api.PathLog, s.followLog, false},
		{"GET", api.PathLogLevel, s.readLogLevel, false},
		{"PUT", api.PathLogLevel, s.changeLogLevel, false},
		{"DELETE", api.PathLogLevel, s.restoreLogLevel, false},
		{"GET", api.PathDoctor, s.doctor, false},
		{"POST", api.PathDoctor, s.runDoctor, false},
		{"GET", api.PathSocket, s.websocket, false},
		{"POST", api.PathConsoleLogs, s.consoleLogs, false},
		{"GET", api.PathBackup, s.backup, false},

		{"GET", api.PathLogin, s.loginPage, true},
		{"POST", api.PathLogin, s.login, true},
		{"GET", api.PathLogout, s.loginPage, true},
		{"POST", api.PathLogout, s.logout, true},
		{"GET", api.PathVerify, s.verify, false},

		{"GET", api.PathHealth, s.health, true},
		{"GET", api.PathAPIHealth, s.health, true},
		{"GET", api.PathReady, s.ready, true},
		{"GET", api.PathMetrics, s.metrics, false},
		{"GET", api.PathFavicon, s.favicon, true},
	}
}

package server

import (
	"strings"

	"github.com/comfyume/qmtui/internal/api"
)

// Who calls, in the order of the columns of the matrix. Login is required;
// admin is one of auth.admins.
var matrixCallers = []string{
	"nobody",   // from afar, with nothing
	"loopback", // from this machine, with nothing
	"bare",     // the trusted proxy, naming nobody
	"user001",  // a good cookie
	"user002",  // a good cookie
	"admin",    // a good cookie
	"proxy",    // the trusted proxy, naming user001
	"forged",   // from afar: the proxy's headers, naming admin
	"token",    // of user001
	"revoked",  // a token of user001, revoked
	"expired",  // a cookie of user001, of yesterday
	"stolen",   // a cookie of admin, after the logout
	"changed",  // a cookie of user001, from before the password changed
	"altered",  // a cookie of user001 with the name of admin put in
	"socket",   // the unix socket
}

// matrixLookers are callers who may see what another caller sees, and change
// nothing: their columns follow from the other's.
var matrixLookers = map[string]string{
	"looking token":   "token",  // made for looking
	"looking admin":   "admin",  // the same, of an admin
	"looking socket":  "socket", // the second socket
	"asks for it":     "user001",
	"asks for it too": "loopback",
}

// looks is the letter of a looker where the other has letter.
func (r matrixRow) looks(letter string) string {
	if strings.HasPrefix(r.route, "GET ") || letter == "-" && !strings.HasSuffix(r.route, " "+api.PathLogin) {
		return letter
	}
	return "x"
}

// matrixRow is a route, whose things it is called for, what who may get, and a
// letter for each caller: o gets it, x is refused (403), - is not known (401).
type matrixRow struct {
	route, whose string
	status       int
	cells        string
}

// The rows that most routes have.
const (
	//             nobody loopback bare | user001 user002 admin | proxy forged | token revoked | expired stolen changed altered | socket
	ofUser001    = "- - -   o x o   o -   o -   - - - -   o"
	ofUser002    = "- - -   x o o   x -   x -   - - - -   o"
	ofAdmins     = "- - -   x x o   x -   x -   - - - -   o"
	ofEveryUser  = "- - -   o o o   o -   o -   - - - -   o"
	ofTheSocket  = "- - -   x x x   x -   x -   - - - -   o"
	ofEverybody  = "o o o   o o o   o o   o o   o o o o   o"
	ofNobody     = "- - -   - - -   - -   - -   - - - -   -"
	user001      = "user001"
	user002      = "user002"
	nobodysThing = ""
)

// matrix has every route that there is: a test holds that. A new route comes
// with its rows.
var matrix = []matrixRow{
	{"POST " + api.PathJobs, user001, 201, ofUser001},
	{"POST " + api.PathJobs, user002, 201, ofUser002},
	{"GET " + api.PathJobs, nobodysThing, 200, ofEveryUser}, // what it lists: see matrixLists
	{"POST " + api.PathActions, user001, 200, ofUser001},
	{"POST " + api.PathActions, user002, 200, ofUser002},
	{"GET " + api.PathJob, user001, 200, ofUser001},
	{"GET " + api.PathJob, user002, 200, ofUser002},
	{"DELETE " + api.PathJob, user001, 204, ofUser001},
	{"DELETE " + api.PathJob, user002, 204, ofUser002},
	{"POST " + api.PathJobCancel, user001, 200, ofUser001},
	{"POST " + api.PathJobCancel, user002, 200, ofUser002},
	{"POST " + api.PathJobRetry, user001, 200, ofUser001},
	{"POST " + api.PathJobRetry, user002, 200, ofUser002},
	{"PATCH " + api.PathJobPriority, user001, 200, ofUser001},
	{"PATCH " + api.PathJobPriority, user002, 200, ofUser002},
	{"GET " + api.PathJobEvents, user001, 200, ofUser001},
	{"GET " + api.PathJobEvents, user002, 200, ofUser002},
	{"GET " + api.PathJobWorkflow, user001, 200, ofUser001},
	{"GET " + api.PathJobWorkflow, user002, 200, ofUser002},

	{"GET " + api.PathQueueStatus, nobodysThing, 200, ofEveryUser},
	{"POST " + api.PathQueuePause, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathQueueResume, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathQueueDrain, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathShareAccept, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathUsers, nobodysThing, 200, ofEveryUser}, // see matrixLists
	{"POST " + api.PathUserForget, user001, 200, ofAdmins},
	{"POST " + api.PathUserForget, user002, 200, ofAdmins},
	{"GET " + api.PathUserOutputs, user001, 200, ofUser001},
	{"GET " + api.PathUserOutputs, user002, 200, ofUser002},
	{"GET " + api.PathOrphans, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathOrphanAssign, user001, 200, ofAdmins},
	{"POST " + api.PathOrphanAssign, user002, 200, ofAdmins},
	{"POST " + api.PathOrphanUnassign, nobodysThing, 200, ofAdmins},
	{"GET " + api.PathOrphanPreview, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathOrphanDiscard, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathWorkers, nobodysThing, 200, ofEveryUser},
	{"POST " + api.PathWorkerActivate, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathWorkerWarm, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathWorkerCheck, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathSpend, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathSpendLift, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathAudit, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathOutputFile, user001, 200, ofUser001},
	{"GET " + api.PathOutputFile, user002, 200, ofUser002},
	{"GET " + api.PathOutputPreview, user001, 200, ofUser001},
	{"GET " + api.PathOutputPreview, user002, 200, ofUser002},

	{"GET " + api.PathEvents, nobodysThing, 200, ofEveryUser}, // see matrixLists
	{"GET " + api.PathSocket, user001, 400, ofUser001},        // 400: behind the wall it asks for an upgrade
	{"GET " + api.PathSocket, user002, 400, ofUser002},
	{"GET " + api.PathLog, nobodysThing, 200, ofAdmins},
	{"GET " + api.PathLogLevel, nobodysThing, 200, ofAdmins},
	{"PUT " + api.PathLogLevel, nobodysThing, 200, ofAdmins},
	{"DELETE " + api.PathLogLevel, nobodysThing, 200, ofAdmins},
	{"GET " + api.PathDoctor, nobodysThing, 200, ofAdmins},
	{"POST " + api.PathDoctor, nobodysThing, 202, ofAdmins},
	{"POST " + api.PathConsoleLogs, nobodysThing, 204, ofEveryUser},
	{"GET " + api.PathBackup, nobodysThing, 200, ofTheSocket},

	{"GET " + api.PathMetrics, nobodysThing, 200, ofAdmins},

	{"GET " + api.PathLogin, nobodysThing, 200, ofEverybody},
	{"POST " + api.PathLogin, user001, 200, ofEverybody},
	{"POST " + api.PathLogin, user002, 200, ofNobody}, // with the password of user001
	{"GET " + api.PathLogout, nobodysThing, 200, ofEverybody},
	{"POST " + api.PathLogout, nobodysThing, 204, ofEverybody},
	{"GET " + api.PathVerify, user001, 204, ofUser001},
	{"GET " + api.PathVerify, user002, 204, ofUser002},

	{"GET " + api.PathHealth, nobodysThing, 200, ofEverybody},
	{"GET " + api.PathAPIHealth, nobodysThing, 200, ofEverybody},
	{"GET " + api.PathReady, nobodysThing, 200, ofEverybody},
	{"GET " + api.PathFavicon, nobodysThing, 204, ofEverybody},
	{"GET " + api.PathMetrics, nobodysThing, 200, ofAdmins},
}

// matrixLists says of the routes that answer with several users' things whose
// they show to whom: o shows them, - does not (or the caller gets nothing at all).
var matrixLists = []matrixRow{
	{"GET " + api.PathJobs, user001, 200, "- - -   o - o   o -   o -   - - - -   o"},
	{"GET " + api.PathJobs, user002, 200, "- - -   - o o   - -   - -   - - - -   o"},
	{"GET " + api.PathUsers, user001, 200, "- - -   o - o   o -   o -   - - - -   o"},
	{"GET " + api.PathUsers, user002, 200, "- - -   - o o   - -   - -   - - - -   o"},
	{"GET " + api.PathEvents, user001, 200, "- - -   o - o   o -   o -   - - - -   o"},
	{"GET " + api.PathEvents, user002, 200, "- - -   - o o   - -   - -   - - - -   o"},
}

// matrixOfFace has every route of the face of ComfyUI. Each stands at both
// users' faces, with and without /api, and belongs to the user of the face.
var matrixOfFace = []matrixRow{
	{"POST /prompt", "", 200, ""},
	{"GET /prompt", "", 200, ""},
	{"GET /queue", "", 200, ""},
	{"POST /queue", "", 200, ""},
	{"POST /interrupt", "", 200, ""},
	{"POST /free", "", 200, ""},
	{"GET /history", "", 200, ""},
	{"GET /history/{id}", "", 200, ""},
	{"POST /history", "", 200, ""},
	{"GET /jobs", "", 200, ""},
	{"GET /jobs/{id}", "", 200, ""},
	{"POST /jobs/{id}/cancel", "", 200, ""},
	{"POST /jobs/cancel", "", 200, ""},
	{"GET /view", "", 200, ""},
	{"POST /upload/image", "", 200, ""},
	{"POST /upload/mask", "", 422, ""}, // 422: behind the wall it asks what is masked
	{"GET /ws", "", 400, ""},           // 400: behind the wall it asks for an upgrade
	{"GET /system_stats", "", 200, ""},
	{"GET /object_info", "", 200, ""},
	{"GET /object_info/{class}", "", 200, ""},
	{"GET /features", "", 200, ""},
	{"GET /embeddings", "", 200, ""},
	{"GET /extensions", "", 200, ""},
	{"GET /models", "", 200, ""},
	{"GET /models/{folder}", "", 200, ""},
	{"GET /experiment/models", "", 200, ""},
	{"GET /experiment/models/{folder}", "", 200, ""},
}

// wholeMatrix is the matrix with the face at each of its places.
func wholeMatrix() []matrixRow {
	all := append([]matrixRow{}, matrix...)
	for _, row := range matrixOfFace {
		method, path, _ := strings.Cut(row.route, " ")
		for _, prefix := range []string{facePrefix, facePrefix + "/api"} {
			route := method + " " + prefix + path
			all = append(all, matrixRow{route, user001, row.status, ofUser001}, matrixRow{route, user002, row.status, ofUser002})
		}
	}
	return all
}

package server

import (
	"fmt"
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
)

// backup answers GET /api/admin/backup with a copy of the ledger. It holds
// everybody's prompts, so it leaves the machine's own socket only. A copy that
// fails in the middle ends with a broken connection, never as if it were whole.
func (s *Server) backup(w http.ResponseWriter, r *request) error {
	switch {
	case r.who.Via != viaSocket:
		return &job.Error{Code: "socket_only", Class: job.Forbidden, Message: "a backup goes over the unix socket only",
			Hint: `run "qmtui db backup FILE" on the manager's machine`}
	case s.opts.Backup == nil:
		return &job.Error{Code: "no_backup", Class: job.Unavailable, Message: "this server has no ledger to copy", Hint: "stop the manager and copy its state folder"}
	}
	w.Header().Set("Content-Type", "application/vnd.qmtui.ledger")
	w.Header().Set("Content-Disposition", `attachment; filename="qmtui.db"`)
	out := &started{w: rolling{w}}
	n, err := s.opts.Backup(out)
	switch {
	case err == nil:
		s.log.Info("the ledger was copied", "bytes", n, "by", r.who.Name)
		return nil
	case out.began:
		s.log.Error("copy the ledger", "error", err, "by", r.who.Name)
		panic(http.ErrAbortHandler)
	}
	w.Header().Del("Content-Disposition")
	return fmt.Errorf("copy the ledger: %w", err)
}

// started remembers whether anything was written.
type started struct {
	w     rolling
	began bool
}

func (s *started) Write(b []byte) (int, error) {
	s.began = true
	return s.w.Write(b)
}

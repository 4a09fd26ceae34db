package server

import (
	"math"
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
)

const consoleBody = 64 << 10 // bytes

// consoleLogs takes what a browser's console said and puts it into our log, as
// text and nothing more.
func (s *Server) consoleLogs(w http.ResponseWriter, r *request) error {
	if ok, wait := s.console.allow(r.who.Name + "@" + peerIP(r.RemoteAddr).String()); !ok {
		return &job.Error{Code: "too_many_logs", Class: job.TooMany, Message: "this browser has logged enough for now",
			RetryAfter: int(math.Ceil(wait.Seconds())), Hint: "wait a minute"}
	}
	var said rawJSON
	if err := r.decode(consoleBody, &said, false); err != nil {
		return err
	}
	s.log.Info("browser console", "user", r.who.Name, "peer", r.RemoteAddr, "said", string(said))
	return writeNothing(w)
}

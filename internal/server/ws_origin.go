package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// checkSocketOrigin refuses WebSockets of foreign pages: browsers open those
// without asking, cookies and all. The page must be of this very host and
// port, or of the public address; being on this machine is no excuse. Programs
// send no Origin.
func (s *Server) checkSocketOrigin(r *http.Request) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil
	}
	if len(values) == 1 && (s.public != "" && strings.EqualFold(values[0], s.public) || sameHost(values[0], r.Host)) {
		return nil
	}
	return &job.Error{Code: "cross_origin", Class: job.Forbidden, Message: fmt.Sprintf("a page of %.100q may not listen here", values[0]),
		Hint: "set server.public_url when this page is the site's own"}
}

// sameHost reports an origin that is nothing but http or https and that host.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		strings.EqualFold(u.Host, host) && strings.EqualFold(origin, u.Scheme+"://"+u.Host)
}

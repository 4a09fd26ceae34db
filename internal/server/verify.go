package server

import (
	"fmt"
	"net/http"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// verifiedHeader names the user to the proxy that asked.
const verifiedHeader = "X-Remote-User"

// verify answers GET /auth/verify, with which nginx's auth_request asks whether
// the caller may have the address in X-Original-URI: 204 with the user's name,
// 401 for nobody, 403 for what is not the caller's or is in doubt.
func (s *Server) verify(w http.ResponseWriter, r *request) error {
	if r.who.anyone {
		return &job.Error{Code: "login_required", Class: job.Forbidden, Message: "no login is required here, so nobody can be verified",
			Hint: "set auth.htpasswd or auth.mode"}
	}
	uris := r.Header.Values("X-Original-URI")
	if len(uris) != 1 {
		return notYours("the proxy did not say which address is asked for", "set X-Original-URI to $request_uri in the proxy")
	}
	path, ok := nginxPath(uris[0])
	if !ok || doubtful(uris[0], path) {
		return notYours("the address is written in a way that could mean another", "write it plainly")
	}
	owner, page := ownerOf(path), r.Header.Get(api.HeaderPage)
	if owner != "" && (!r.who.Admin && owner != r.who.Name || page != "" && owner != page) {
		return notYours(fmt.Sprintf("%.100q is not yours, or has another address", "/"+owner+"/"), "open your own page")
	}
	w.Header().Set(verifiedHeader, r.who.Name)
	w.Header().Set("Cache-Control", "no-store")
	return writeNothing(w)
}

func notYours(why, hint string) error {
	return &job.Error{Code: "not_yours", Class: job.Forbidden, Message: why, Hint: hint}
}

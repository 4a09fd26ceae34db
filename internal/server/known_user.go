package server

import (
	"fmt"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// checkKnown refuses a name that nobody has, where names are known: what is
// made for a mistyped one would stand in a folder that nobody opens. A
// password file knows names, and so do jobs of before; doctor's canary has its
// own. Who comes under the
// name was vouched for by whoever let them in.
func (s *Server) checkKnown(caller who, user string) error {
	known := s.logins.known().hash
	if len(known) == 0 || known[user] != "" || caller.Name == user && !caller.anyone || user == api.CanaryUser && caller.Admin {
		return nil
	}
	users, err := s.svc.Users()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(u job.UserStatus) bool { return u.User == user }) {
		return nil
	}
	return &job.Error{Code: "unknown_user", Class: job.Invalid,
		Message: fmt.Sprintf("%q stands in no line of the password file and never had a job", user),
		Hint:    fmt.Sprintf(`check the name with "qmtui users list", or add the user with "qmtui users add %s"`, user)}
}

package server

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// who is the caller as made out from the connection and from what a trusted
// proxy says; nothing in the body has a part in it.
type who struct {
	job.Caller
	// anyone says that nobody vouches for a name, and that the caller is
	// believed about user_id (auth mode "open").
	anyone bool
	// readOnly callers may look and not act: by the door or the token they came
	// in with, or because they asked for it (api.HeaderReadOnly).
	readOnly bool
	// login is the session or the token that says who; nil for none.
	login *credential
}

// mayCall refuses what changes something to a connection that may only look.
// Calls with GET change nothing; a test holds that.
func (w who) mayCall(method string) error {
	if !w.readOnly || method == http.MethodGet || method == http.MethodHead {
		return nil
	}
	hint := "attach without --read-only"
	switch {
	case w.login != nil && w.login.readOnly:
		hint = "use a token that was made without --read-only"
	case w.Via == viaSSH:
		hint += ", with a key that may act"
	}
	return &job.Error{Code: "read_only", Class: job.Forbidden, Message: "this connection may look and not act", Hint: hint}
}

// may reports whether the caller may act for user.
func (w who) may(user string) bool { return w.Admin || w.anyone || w.Name == user }

// scope is the user whose jobs the caller sees; empty for everybody's.
func (w who) scope() string {
	if w.Admin || w.anyone {
		return ""
	}
	return w.Name
}

// onPages narrows a caller to the rights that scripts of a user's page have
// (see [api.HeaderPage]): all of the user's, nothing of an admin's. Somebody
// else may log in and out there, and an admin may open the page. The header
// only takes rights away, so nobody needs to vouch for it.
func (w who) onPages(users []string, rt route) (who, error) {
	for _, user := range users {
		switch {
		case user == "":
		case w.anyone:
			w.Name, w.anyone, w.Admin = user, false, false
		case w.Name == user || rt.public:
			w.Admin = false
		case w.Admin && rt.path == api.PathVerify:
		default:
			return who{}, &job.Error{Code: "page_of_another", Class: job.Forbidden, Message: fmt.Sprintf("this is the address of %.100s's page, and you are %.100s", user, w.Name),
				Hint: "use the address of your own page, or the manager's own"}
		}
	}
	return w, nil
}

// How a caller came in.
const (
	viaSocket   = "socket"
	viaLoopback = "loopback"
	viaProxy    = "proxy"
	viaSSH      = "ssh"
)

// bySocket reads the name that the listener put in front of the connection
// (see peerAddr). The socket is always the admin's.
func (s *Server) bySocket(r *http.Request) (who, error) {
	return who{Caller: job.Caller{Name: r.RemoteAddr, Admin: true, Via: viaSocket}}, nil
}

// byReadOnlySocket is bySocket for the second socket.
func (s *Server) byReadOnlySocket(r *http.Request) (who, error) {
	w, err := s.bySocket(r)
	w.readOnly = true
	return w, err
}

// byTCP makes out a caller who came by TCP: by a token, else by what a trusted
// proxy says, else by a cookie, else (open mode) by nothing.
func (s *Server) byTCP(r *http.Request) (who, error) {
	if w, shown, err := s.byToken(r); shown {
		return w, err
	}
	peer := peerIP(r.RemoteAddr)
	trusted := s.trusts(peer)
	if trusted {
		if name, err := s.headerUser(r); name != "" || err != nil {
			return who{Caller: job.Caller{Name: name, Admin: s.admins[name], Via: viaProxy}}, err
		}
	}
	if w, ok := s.bySession(r); ok {
		return w, nil
	}
	switch {
	case s.opts.RequireUser && s.logins.passwords != nil:
		return who{}, s.loginRequired(r)
	case !trusted && !peer.IsLoopback():
		return who{}, &job.Error{Code: "not_trusted", Class: job.Forbidden,
			Message: fmt.Sprintf("%s is neither this machine nor a trusted proxy, so nobody vouches for who you are", peer),
			Hint:    "go through the site's proxy, or add its address to server.trusted_proxies"}
	case s.opts.RequireUser:
		return who{}, s.loginRequired(r)
	case peer.IsLoopback() && !forwarded(r):
		return who{Caller: job.Caller{Name: "anyone@loopback", Admin: true, Via: viaLoopback}, anyone: true}, s.checkHost(r)
	}
	return who{Caller: job.Caller{Name: "anyone@proxy", Via: viaProxy}, anyone: true}, nil
}

// ProxySecretHeader is where a proxy shows that it is the one that may name
// users: other processes have its address too.
const ProxySecretHeader = "X-Qmtui-Proxy-Secret"

// headerUser is the user that the proxy named; empty for none.
func (s *Server) headerUser(r *http.Request) (string, error) {
	if s.opts.UserHeader == "" {
		return "", nil
	}
	values := slices.DeleteFunc(slices.Clone(r.Header.Values(s.opts.UserHeader)), func(v string) bool { return v == "" })
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || job.CheckUser(values[0]) != nil:
		return "", &job.Error{Code: "bad_user_header", Class: job.Forbidden,
			Message: fmt.Sprintf("the proxy's %s header does not name one user", s.opts.UserHeader),
			Hint:    "let the proxy set that header itself and drop the caller's"}
	case s.opts.ProxySecret != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get(ProxySecretHeader)), []byte(s.opts.ProxySecret)) != 1:
		return "", &job.Error{Code: "bad_proxy_secret", Class: job.Forbidden,
			Message: fmt.Sprintf("a user was named in %s without the proxy's secret", s.opts.UserHeader),
			Hint:    "log in through the site's proxy, which sends the secret of server.proxy_secret_file in " + ProxySecretHeader}
	}
	return values[0], nil
}

// forwarded reports whether a proxy stands between the caller and us: then a
// loopback peer is the proxy and says nothing of the caller.
func forwarded(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Host", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}

// checkHost stops DNS rebinding: a page of a foreign name that resolves to
// this machine sends that name. Addresses and our own names pass.
func (s *Server) checkHost(r *http.Request) error {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || s.hosts[host] || s.listensAs(host) {
		return nil
	}
	return &job.Error{Code: "bad_host", Class: job.Forbidden, Message: fmt.Sprintf("this server is not %.100q", host),
		Hint: "use http://127.0.0.1 with its port, or set server.public_url"}
}

func (s *Server) listensAs(host string) bool {
	own, _, err := net.SplitHostPort(s.opts.Listen)
	return err == nil && own != "" && strings.EqualFold(own, host)
}

func peerIP(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func forbidUser(user string) error {
	return &job.Error{Code: "wrong_user", Class: job.Forbidden, Message: fmt.Sprintf("this belongs to %s, not to you", user),
		Hint: "log in as that user, or ask an admin"}
}

func (w who) adminOnly(what string) error {
	if w.Admin {
		return nil
	}
	return &job.Error{Code: "admin_only", Class: job.Forbidden, Message: what + " is for admins only",
		Hint: "use the unix socket on the manager's machine, or log in as one of auth.admins"}
}

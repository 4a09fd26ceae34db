package api

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Bounds of the client.
const (
	callTimeout = time.Minute      // an ordinary call, body included
	wakeTimeout = 20 * time.Minute // a call that may wait for a cold start
	silence     = 25 * time.Second // an event stream without a byte
	stall       = time.Minute      // a download without a byte
	maxAnswer   = 64 << 20         // bytes of an answer that is read whole
)

// Client speaks the contract with one manager. It may be used from any
// goroutine. Errors of its methods are *job.Error, except that a cancelled
// context comes back as it is.
type Client struct {
	base   string // without a slash at the end
	target string // as people know it
	http   *http.Client
	// maxAnswer is in bytes, of a JSON answer or a preview.
	maxAnswer int64

	userHeader, user string // see As; empty for none
	token            string // see Bearer; empty for none
	lookOnly         bool   // see LookOnly
}

// Dial makes a client for a target: an address such as http://127.0.0.1:3000
// (a path in front of /api is kept), host:port, or the path of a unix socket,
// with or without "unix:". It does not connect; the first call does.
func Dial(target string) (*Client, error) {
	if path, ok := socketPath(target); ok {
		return Over(path, func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}), nil
	}
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, &job.Error{Code: "bad_target", Class: job.Invalid, Message: "cannot reach a manager at " + target,
			Hint: "give http://host:port or the path of a unix socket"}
	}
	base := u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")
	return &Client{base: base, target: base, http: &http.Client{Transport: transport(nil), CheckRedirect: noRedirect}, maxAnswer: maxAnswer}, nil
}

// Over makes a client that opens its connections with dial; target is what
// people know the other end as.
func Over(target string, dial func(context.Context) (net.Conn, error)) *Client {
	through := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	return &Client{base: "http://qmtui", target: target, http: &http.Client{Transport: transport(through), CheckRedirect: noRedirect}, maxAnswer: maxAnswer}
}

// As returns a client that names the user in a header, as a trusted proxy
// does. The manager believes it only from a trusted address.
func (c *Client) As(header, user string) *Client {
	as := *c
	as.userHeader, as.user = header, user
	return &as
}

// HeaderReadOnly with any value makes the manager refuse what would change
// something, whoever asks.
const HeaderReadOnly = "X-Qmtui-Read-Only"

// HeaderPage is set by a proxy that serves each user's page at an origin of its
// own, and names that user. Calls from there have the rights of that user and
// nobody else's: scripts of a page are not those of who looks at it.
const HeaderPage = "X-Qmtui-Page"

// LookOnly returns a client for whom the manager refuses to change anything.
func (c *Client) LookOnly() *Client {
	look := *c
	look.lookOnly = true
	return &look
}

// Bearer returns a client that shows a token, see "qmtui users token". On the
// unix socket nobody asks for one.
func (c *Client) Bearer(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// Target is where the client speaks to, for people.
func (c *Client) Target() string { return c.target }

// Close drops idle connections. Calls and streams under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func socketPath(target string) (string, bool) {
	if p, ok := strings.CutPrefix(target, "unix:"); ok {
		return strings.TrimPrefix(p, "//"), true
	}
	return target, filepath.IsAbs(target)
}

func transport(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	if dial != nil {
		t.Proxy, t.DialContext = nil, dial
	}
	return t
}

// noRedirect: the contract has none, and a proxy's login page is no answer.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

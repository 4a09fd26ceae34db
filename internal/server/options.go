package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/limit"
	"github.com/comfyume/qmtui/internal/picture"
)

// Options is what a Server is made of. Only Service is required.
type Options struct {
	Service Service
	Version string // told in hello and health
	// Listen is the TCP address; empty for none. Port 0 takes a free one, see [Server.Addr].
	Listen string
	// Socket is the path of the unix socket; empty for none. At most 103 bytes.
	Socket string
	// ReadOnlySocket is the path of a second socket whose callers may look at
	// everything and change nothing; empty for none.
	ReadOnlySocket string
	// PublicURL is where people reach the server; its origin is trusted. Empty when not known.
	PublicURL string
	// TrustedProxies are the networks whose UserHeader is believed.
	TrustedProxies []netip.Prefix
	UserHeader     string // empty: no header is believed
	// ProxySecret must come with UserHeader, in [ProxySecretHeader]. Empty:
	// whoever connects from TrustedProxies is believed.
	ProxySecret string
	Admins      []string // users who may do everything
	// RequireUser refuses TCP callers whom no trusted proxy names. Otherwise
	// loopback peers and trusted proxies are believed about user_id.
	RequireUser bool
	// Passwords is the path of an htpasswd file with bcrypt hashes. It is read
	// again when it changes. Empty: nobody logs in by password.
	Passwords string
	// StateDir is the folder of the session key, of the sessions that were
	// logged out, and of the tokens. Empty: no tokens, and logins end with us.
	StateDir       string
	SessionKeyFile string        // the key that signs cookies; empty: session.key in StateDir
	SessionTTL     time.Duration // life of a login that is not used; zero means 12h
	// Subfolder is put before the subfolder of outputs, see [api.View].
	Subfolder string
	// Inputs is where users' uploads stand, below their names; empty refuses uploads.
	Inputs string
	// Backup writes a sound copy of the ledger while it is in use and returns
	// its size in bytes. Nil: there is none to be had.
	Backup func(io.Writer) (int64, error)
	// Audit lists the newest n deeds of people and rules, newest first. Nil:
	// nobody keeps them.
	Audit func(n int) ([]job.AuditEntry, error)
	// Forget removes what is kept of a user, or with dryRun says what that is.
	// Nil: this server forgets nobody.
	Forget func(ctx context.Context, user string, dryRun bool, by job.Caller) (job.Forgotten, error)
	// Log is what GET /api/log tells of our own log, see [Tailed]. Nil: nothing.
	Log *LogTail
	// Doctor answers /api/doctor. Nil: this server has none.
	Doctor Doctor
	// Metrics answers GET /metrics, to admins and to MetricsReaders. Nil: nobody measures.
	Metrics        http.Handler
	MetricsReaders []string // users who may read the metrics
	// Meter hears of every call when it begins: its method, and the path of the
	// contract that it is for (empty for none). What it returns is called at the
	// end; stream says that the call stayed open on purpose. Nil: nobody counts.
	Meter func(method, route string) (ended func(status int, stream bool))
	// PictureRefused hears of each picture that was not decoded, by the reason. Nil: nobody counts.
	PictureRefused func(reason string)
	MaxWorkflow    int64 // bytes of a prompt, and of its extra_data; zero means 10 MiB
	MaxMetadata    int64 // bytes of a caller's metadata; zero means 1 MiB
	MaxStreams     int   // event streams of all users at once; zero means 480
	Limits         Limits
	// Disks keep a reserve free on the disks that uploads and the ledger grow
	// on; nil keeps none.
	Disks *limit.Disks
	// Grace bounds the drain when Run's context ends; zero means 5s.
	Grace  time.Duration
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
}

// Server answers HTTP for a [Service]. Make it with [New]; all its methods may
// be called from any goroutine, Run once.
type Server struct {
	opts    Options
	svc     Service
	view    api.View
	log     *slog.Logger
	origins *http.CrossOriginProtection
	public  string          // the origin of the public address; empty when not known
	hosts   map[string]bool // names that a browser on this machine may use for us
	admins  map[string]bool
	logins  *logins

	budgets  *budgets
	sockets  sockets
	inputs   inputFolders
	clients  clientMemories // of the face
	nodes    nodeList       // of the workers, for the face
	hiding   sync.Mutex     // held while somebody's history is changed
	pictures *picture.Gate
	previews *previewCache
	console  *limiter
	stopping chan struct{} // closed when the drain begins
	doors    doors
	guests   guests
}

// New checks the options, reads the files of the login (it makes the session
// key when there is none) and makes a server. It starts nothing.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{
		opts: o, svc: o.Service, view: api.View{Subfolder: o.Subfolder}, log: o.Logger,
		origins: http.NewCrossOriginProtection(), hosts: map[string]bool{"localhost": true}, admins: map[string]bool{},
		budgets: newBudgets(o.Limits, o), pictures: picture.New(picture.Options{Refused: o.PictureRefused, Logger: o.Logger}),
		previews: newPreviewCache(16 << 20), console: newLimiter(consoleLines, time.Minute, o.Now),
		stopping: make(chan struct{}), guests: newGuests(),
	}
	for _, a := range o.Admins {
		s.admins[a] = true
	}
	var err error
	if s.logins, err = newLogins(o); err != nil {
		return nil, err
	}
	return s, s.trust(o.PublicURL)
}

func (o Options) withDefaults() Options {
	if o.MaxWorkflow <= 0 {
		o.MaxWorkflow = 10 << 20
	}
	if o.MaxMetadata <= 0 {
		o.MaxMetadata = 1 << 20
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = allStreams
	}
	o.Limits = o.Limits.withDefaults()
	if o.Disks == nil {
		o.Disks = limit.NewDisks()
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// trust lets pages of the public address post to us.
func (s *Server) trust(public string) error {
	if public == "" {
		return nil
	}
	u, err := url.Parse(public)
	if err == nil {
		err = s.origins.AddTrustedOrigin(u.Scheme + "://" + u.Host)
	}
	if err != nil {
		return &job.Error{Code: "bad_public_url", Class: job.Invalid, Message: "server.public_url is not an address: " + err.Error(),
			Hint: "write it as https://example.org/path"}
	}
	s.public = u.Scheme + "://" + u.Host
	s.hosts[u.Hostname()] = true
	return nil
}

package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// The checks of the running manager.
var (
	managerSocket = &Check{Name: "socket", Looks: "the manager's unix socket: there, answering, closed to others", Cases: []int{10},
		Rulings: []Ruling{
			{"answers", OK, "a manager answers", ""},
			{"none", Warn, "no manager runs", "start it: systemctl start qmtui, or qmtui --daemon"},
			{"dead", Fail, "the socket is there and nobody answers", "look whether the manager runs; a socket that is left over is taken over by the next one"},
			{"denied", Fail, "this user may not connect to it", "run doctor as the manager's user, or as root"},
			{"broken", Fail, "something answers that is not a manager, or it answers with an error", "look at the manager's log"},
			{"open", Fail, "others may connect to it, and it is the admin's", "chmod 0600 it, and 0700 its folder"},
		}}
	managerWarnings = &Check{Name: "warnings", Looks: "what the manager itself warns of, its mode, and jobs that were lost without a trace", Cases: []int{2, 15},
		Rulings: []Ruling{
			{"none", OK, "it warns of nothing", ""},
			{"warns", Warn, "it warns", "see qmtui queue status"},
			{"stopped", Fail, "it sends nothing to a deployment, because nothing can be rendered there now", "see qmtui queue status"},
			{"halted", Warn, "the queue is paused or drains", "run qmtui queue resume"},
			{"vanishing", Warn, "jobs never appeared, or ended without files, lately", "see qmtui jobs list --state lost, then run qmtui doctor --canary"},
			{"not_known", Skip, "no manager answers", ""},
		}}
	processFiles = &Check{Name: "files", Looks: "open files of the manager's process against its limit, by /proc/PID",
		Rulings: []Ruling{
			{"enough", OK, "there is room", ""},
			{"low", Warn, "the limit is under 4096: each page with a live connection takes one", "set LimitNOFILE=65536 in the service"},
			{"full", Fail, "more than four of five are in use", "restart the manager with LimitNOFILE=65536, and look what it holds in /proc/PID/fd"},
			{"not_known", Skip, "the process cannot be looked into", ""},
		}}
	processWatches = &Check{Name: "inotify", Looks: "fs.inotify.max_user_watches and max_user_instances, when events are used as hints",
		Rulings: []Ruling{
			{"enough", OK, "there is room", ""},
			{"unused", OK, "the share is only looked into", ""},
			{"low", Warn, "the limits are low, so events will be missed; looking still finds everything", "sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"},
			{"not_known", Skip, "the limits cannot be read", ""},
		}}
	webServer = &Check{Name: "web", Looks: "GET /health at server.listen and at server.public_url",
		Rulings: []Ruling{
			{"answers", OK, "it answers with the manager's own health", ""},
			{"off", OK, "server.listen is empty: only the socket", ""},
			{"silent", Fail, "nothing answers at server.listen", "see the manager's log: the port may be taken or another configuration be in use"},
			{"stranger", Fail, "something else than a manager answers at server.listen", "find what holds the port (ss -ltnp), and set server.listen"},
			{"unreached", Warn, "nothing answers at server.public_url from here, which a name or a certificate that this machine does not know can cause", "open server.public_url in a browser; if that fails, look at the proxy in front and at DNS"},
			{"proxy", Fail, "something else than the manager answers at server.public_url", "look at the proxy in front: it must pass the path of server.public_url on to server.listen"},
			{"nginx_default", Fail, "nginx's own default site answers at server.public_url", "rm /etc/nginx/sites-enabled/default && systemctl reload nginx; see nginx.md for the files that must be in /etc/nginx/conf.d"},
			{"another", Skip, "the manager that answers has another configuration than this, so it need not listen there", "give doctor the manager's configuration with --config, or let the manager look: qmtui doctor --by-manager"},
			{"no_manager", Skip, "no manager runs", ""},
		}}
	loginFile = &Check{Name: "login-file", Looks: "auth.htpasswd: a file and not a folder, readable by the manager's user, bcrypt on every line", Cases: []int{11},
		Rulings: []Ruling{
			{"good", OK, "it can be read and every line is good", ""},
			{"header", OK, "a trusted proxy names the user", ""},
			{"socket_only", OK, "nothing listens but the socket", ""},
			{"open", Warn, "there is no login: any process on this machine may submit as anybody", "set auth.htpasswd, or let the proxy name the user"},
			{"missing", Fail, "it is not there: nobody can log in", "make it with qmtui users passwd USER, or htpasswd -B"},
			{"folder", Fail, "a folder stands in its place: docker makes one when a bind mount's source is missing", "stop the container, rmdir the folder on the host, put the file there, start again"},
			{"unreadable", Fail, "the manager's user may not read it", "give that user the right to read it"},
			{"bad_line", Fail, "a line is no user:hash with bcrypt", "write it anew with qmtui users passwd USER, or with htpasswd -B"},
			{"empty", Fail, "it has no user: nobody can log in", "add one with qmtui users passwd USER, or htpasswd -B"},
			{"writable", Fail, "everybody on the machine can write a password of their own into it: the manager refuses it", "chmod o-w it, and look whether its lines are still yours"},
			{"group", Warn, "a group may write to it", "chmod g-w it, unless everybody in the group is an admin"},
			{"public", Warn, "everybody on the machine can read the hashes", "chmod 0640 it"},
		}}
	proxyHeader = &Check{Name: "proxy-header", Looks: "server.user_header: whether a secret comes with it, and whether one that a caller made up is believed at server.public_url", Cases: []int{11},
		Rulings: []Ruling{
			{"none", Skip, "no header is believed", ""},
			{"secret", OK, "the user header is believed from a proxy that sends the secret", ""},
			{"forged", Fail, "a user header that doctor made up was believed at server.public_url: whoever can reach it is anybody, also an admin", "let the proxy set the header itself in every location, as in nginx.md: proxy_set_header X-Remote-User $remote_user (\"\" without basic auth)"},
			{"open", Fail, "any process at an address of server.trusted_proxies can be an admin, also a participant's ComfyUI on that machine", "set server.proxy_secret_file, and let the proxy send it in X-Qmtui-Proxy-Secret"},
		}}
)

// SocketSeen is how the manager's socket answers.
type SocketSeen struct {
	Path    string
	Missing bool
	Mode    uint32
	Network bool       // the target is an address, not a socket
	Error   *job.Error // nil when it answered
	Version string
}

func judgeSocket(o SocketSeen) Result {
	c := managerSocket
	switch {
	case o.Error == nil && !o.Network && o.Mode&0o066 != 0:
		return c.say("open", "%s has mode %04o: others may connect to it", o.Path, o.Mode&0o777)
	case o.Error == nil:
		return c.say("answers", "qmtui %s answers on %s", o.Version, o.Path)
	case o.Missing:
		return c.say("none", "no manager runs: there is no socket at %s", o.Path)
	case o.Error.Code == "no_daemon":
		return c.say("dead", "nobody answers on %s", o.Path)
	case o.Error.Code == "socket_denied":
		return c.say("denied", "this user may not connect to %s", o.Path)
	}
	return c.say("broken", "%s: %s", o.Path, o.Error.Message)
}

// WarningsSeen is what the manager says of itself.
type WarningsSeen struct {
	Answers   bool
	Mode      job.Mode
	Warnings  []job.Warning
	Stopped   []job.Stopped
	Vanishing int // recent jobs that never appeared or ended without files
	Looked    int // recent jobs
}

func judgeWarnings(o WarningsSeen) Result {
	c := managerWarnings
	switch {
	case !o.Answers:
		return c.say("not_known", "no manager answers")
	case len(o.Stopped) > 0:
		s := o.Stopped[0]
		return c.say("stopped", "%s: %s; %d jobs wait%s", s.Code, s.Message, s.Waiting, more(len(o.Stopped)-1)).next("%s", s.Hint)
	case o.Vanishing > 0:
		return c.say("vanishing", "%d of the %d newest jobs never appeared or ended without files", o.Vanishing, o.Looked)
	case len(o.Warnings) > 0:
		w := o.Warnings[0]
		r := c.say("warns", "%s: %s%s", w.Code, w.Message, more(len(o.Warnings)-1))
		if w.Hint != "" {
			r.Next = w.Hint
		}
		return r
	case o.Mode != "" && o.Mode != job.ModeRunning:
		return c.say("halted", "the queue is %s", o.Mode)
	}
	return c.say("none", "the manager warns of nothing")
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// ProcessSeen is how much room a process has.
type ProcessSeen struct {
	Who         string // "the manager", or "doctor"
	FilesKnown  bool
	Files       int    // open; -1 when not known
	Limit       uint64 // soft
	Watching    bool   // events are used as hints
	WatchKnown  bool
	Watches     int // fs.inotify.max_user_watches
	Instances   int // fs.inotify.max_user_instances
	WatchesUsed int // by the process
}

func judgeProcess(o ProcessSeen) []Result { return []Result{judgeFiles(o), judgeInotify(o)} }

func judgeFiles(o ProcessSeen) Result {
	c := processFiles
	switch {
	case !o.FilesKnown:
		return c.say("not_known", "the limits of the manager's process cannot be read")
	case o.Files > 0 && uint64(o.Files) > o.Limit/5*4:
		return c.say("full", "%s has %d of %d files open", o.Who, o.Files, o.Limit)
	case o.Limit < 4096:
		return c.say("low", "%s may open %d files", o.Who, o.Limit)
	case o.Files < 0:
		return c.say("enough", "%s may open %d files", o.Who, o.Limit)
	}
	return c.say("enough", "%s has %d of %d files open", o.Who, o.Files, o.Limit)
}

func judgeInotify(o ProcessSeen) Result {
	c := processWatches
	switch {
	case !o.Watching:
		return c.say("unused", "no events are asked for: the share is looked into")
	case !o.WatchKnown:
		return c.say("not_known", "the limits cannot be read")
	case o.Watches < 8192 || o.Instances < 64 || o.WatchesUsed > o.Watches/5*4:
		return c.say("low", "%d of %d watches are in use, and %d instances allowed", o.WatchesUsed, o.Watches, o.Instances)
	}
	return c.say("enough", "%d of %d watches are in use", o.WatchesUsed, o.Watches)
}

// WebSeen is what the addresses answered.
type WebSeen struct {
	Listen  string // empty: none
	Manager bool   // one runs
	Another bool   // it looks at another share than the configuration says
	Answer  string // why the health was not read; empty when it was
	Silent  bool   // nothing accepted the connection
	Public  string // server.public_url; empty: none
	Outside string // why the health was not read there; empty when it was
	// Unreached: nothing accepted the connection there; Default: nginx's own site did.
	Unreached, Default bool
}

func judgeWeb(o WebSeen) Result {
	c := webServer
	switch {
	case o.Listen == "":
		return c.say("off", "server.listen is empty, so only the socket is served")
	case !o.Manager:
		return c.say("no_manager", "no manager runs")
	case o.Another && o.Answer != "":
		return c.say("another", "the manager that answers has another configuration, and is not at %s", o.Listen)
	case o.Silent:
		return c.say("silent", "nothing answers at %s: %s", o.Listen, o.Answer)
	case o.Answer != "":
		return c.say("stranger", "what answers at %s is not the manager: %s", o.Listen, o.Answer)
	case o.Public != "" && o.Default:
		return c.say("nginx_default", "nginx's own default site answers at %s, and not the manager", o.Public)
	case o.Public != "" && o.Unreached:
		return c.say("unreached", "%s was not reached: %s", o.Public, o.Outside)
	case o.Public != "" && o.Outside != "":
		return c.say("proxy", "%s does not lead to the manager: %s", o.Public, o.Outside)
	}
	return c.say("answers", "the manager answers at %s", o.Listen)
}

// LoginSeen is the password file.
type LoginSeen struct {
	Path       string // empty: none is set
	Login      bool   // auth asks for one
	Header     string // in which trusted proxies name the user; empty: none
	Listens    bool   // on TCP
	Missing    bool
	Folder     bool
	Unreadable string
	Mode       uint32
	Users      int
	BadLine    string // what is wrong with the first line that is not good
}

func judgeLogin(o LoginSeen) Result {
	const read, write, groupWrite = 0o004, 0o002, 0o020
	c := loginFile
	switch {
	case o.Path == "" && !o.Listens:
		return c.say("socket_only", "nothing listens but the socket, which is the admin's")
	case o.Path == "" && o.Login:
		return c.say("header", "trusted proxies name the user in %s", o.Header)
	case o.Path == "":
		return c.say("open", "there is no login: any process on this machine may submit as anybody")
	case o.Folder:
		return c.say("folder", "%s is a folder", o.Path)
	case o.Missing:
		return c.say("missing", "%s does not exist", o.Path)
	case o.Mode&write != 0:
		return c.say("writable", "everybody can write to %s, mode %04o", o.Path, o.Mode&0o777)
	case o.Unreadable != "":
		return c.say("unreadable", "%s cannot be read: %s", o.Path, o.Unreadable)
	case o.BadLine != "":
		return c.say("bad_line", "%s, %s", o.Path, o.BadLine)
	case o.Users == 0:
		return c.say("empty", "%s has no user", o.Path)
	case o.Mode&groupWrite != 0:
		return c.say("group", "a group can write to %s, mode %04o", o.Path, o.Mode&0o777)
	case o.Mode&read != 0:
		return c.say("public", "everybody can read %s, mode %04o", o.Path, o.Mode&0o777)
	}
	return c.say("good", "%s has %d users, each with bcrypt", o.Path, o.Users)
}

// judgeHeader judges whether the header that names users is anybody's to send.
// believed says that one made up by doctor was, at server.public_url.
func judgeHeader(cfg config.Config, believed bool) Result {
	switch header := cfg.TrustedHeader(); {
	case believed:
		return proxyHeader.say("forged", "%s believed a caller who wrote %s itself", cfg.Server.PublicURL, header)
	case cfg.HeaderWithoutSecret():
		return proxyHeader.say("open", "whoever connects from %s is the user that they write into %s", strings.Join(cfg.Server.TrustedProxies, ", "), header)
	case header == "" || !cfg.RequiresLogin() || cfg.Server.Listen == "" || len(cfg.Server.TrustedProxies) == 0:
		return proxyHeader.say("none", "no header names users")
	default:
		return proxyHeader.say("secret", "%s is believed with the proxy's secret", header)
	}
}

// ago is the age of something for people.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String() + " ago"
	case d < 48*time.Hour:
		return d.Round(time.Minute).String() + " ago"
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

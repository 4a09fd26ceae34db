package doctor

import (
	"github.com/comfyume/qmtui/internal/config"

	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func stateCases() []ruled {
	folder := func(break_ func(*StateSeen)) Result {
		o := StateSeen{Folder: FolderSeen{Path: "/var/lib/qmtui", Writable: true, Mode: 0o700}, Type: "ext4"}
		break_(&o)
		return judgeStateFolder(o)
	}
	lock := func(break_ func(*LockSeen)) Result {
		o := LockSeen{Held: true, PID: 7, Host: "a", Here: "a", Since: time.Unix(0, 0), Answer: true, Peer: 7}
		break_(&o)
		return judgeLock(o)
	}
	db := func(break_ func(*DatabaseSeen)) Result {
		o := DatabaseSeen{Path: "/qmtui.db", Size: 100 << 20, Free: 1 << 20}
		break_(&o)
		return judgeDatabase(o)
	}
	return []ruled{
		{"healthy", folder(func(*StateSeen) {}), "local"},
		{"not there yet", folder(func(o *StateSeen) { o.New = true }), "new"},
		{"nfs", folder(func(o *StateSeen) { o.Type = "nfs4" }), "remote"},
		{"fuse", folder(func(o *StateSeen) { o.Type = "fuse.sshfs" }), "remote"},
		{"tmpfs", folder(func(o *StateSeen) { o.Type = "tmpfs" }), "memory"},
		{"closed", folder(func(o *StateSeen) { o.Folder.Writable = false }), "not_writable"},
		{"a file", folder(func(o *StateSeen) { o.Folder.NotDir = true }), "not_folder"},
		{"open", folder(func(o *StateSeen) { o.Folder.Mode = 0o777 }), "open"},

		{"healthy", lock(func(*LockSeen) {}), "held"},
		{"behind a namespace", lock(func(o *LockSeen) { o.Peer = 0 }), "held"},
		{"nobody", lock(func(o *LockSeen) { *o = LockSeen{Here: "a"} }), "free"},
		{"silent holder", lock(func(o *LockSeen) { o.Answer, o.Peer = false, 0 }), "silent"},
		{"holder elsewhere", lock(func(o *LockSeen) { o.Answer, o.Host = false, "b" }), "host"},
		{"two managers", lock(func(o *LockSeen) { o.Peer = 8 }), "elsewhere"},
		{"other folder", lock(func(o *LockSeen) { o.Held = false }), "elsewhere"},

		{"healthy", db(func(*DatabaseSeen) {}), "sound"},
		{"free pages not known", db(func(o *DatabaseSeen) { o.Free = -1 }), "sound"},
		{"not there", db(func(o *DatabaseSeen) { o.Missing = true }), "new"},
		{"denied", db(func(o *DatabaseSeen) { o.Unreadable = "permission denied" }), "unreadable"},
		{"damaged", db(func(o *DatabaseSeen) { o.Broken = "no header" }), "not_database"},
		{"mostly free", db(func(o *DatabaseSeen) { o.Free = 80 << 20 }), "sparse"},
		{"large", db(func(o *DatabaseSeen) { o.Size = 5 * gib }), "large"},
	}
}

func socketCases() []ruled {
	e := func(code string) *job.Error { return &job.Error{Code: code, Message: "it says " + code} }
	return []ruled{
		{"healthy", judgeSocket(SocketSeen{Path: "/s", Mode: 0o600, Version: "1"}), "answers"},
		{"an address", judgeSocket(SocketSeen{Path: "http://h", Network: true}), "answers"},
		{"none", judgeSocket(SocketSeen{Path: "/s", Missing: true, Error: e("no_daemon")}), "none"},
		{"left over", judgeSocket(SocketSeen{Path: "/s", Error: e("no_daemon")}), "dead"},
		{"denied", judgeSocket(SocketSeen{Path: "/s", Error: e("socket_denied")}), "denied"},
		{"stranger", judgeSocket(SocketSeen{Path: "/s", Error: e("bad_answer")}), "broken"},
		{"open", judgeSocket(SocketSeen{Path: "/s", Mode: 0o666}), "open"},
	}
}

func warningsCases() []ruled {
	warn := []job.Warning{{Code: "disk_low", Message: "little space", Hint: "free some"}, {Code: "x"}}
	return []ruled{
		{"healthy", judgeWarnings(WarningsSeen{Answers: true, Mode: job.ModeRunning}), "none"},
		{"warns", judgeWarnings(WarningsSeen{Answers: true, Warnings: warn}), "warns"},
		{"paused", judgeWarnings(WarningsSeen{Answers: true, Mode: job.ModePaused}), "halted"},
		{"sends nothing", judgeWarnings(WarningsSeen{Answers: true, Warnings: warn, Stopped: []job.Stopped{{Code: "endpoint_or_key", Message: "401", Hint: "mend the key", Waiting: 2}}}), "stopped"},
		{"lost jobs", judgeWarnings(WarningsSeen{Answers: true, Vanishing: 2, Looked: 9}), "vanishing"},
		{"nobody", judgeWarnings(WarningsSeen{}), "not_known"},
	}
}

func processCases() []ruled {
	files := func(open int, limit uint64, known bool) Result {
		return judgeFiles(ProcessSeen{Who: "the manager", FilesKnown: known, Files: open, Limit: limit})
	}
	watch := func(o ProcessSeen) Result { return judgeInotify(o) }
	return []ruled{
		{"healthy", files(20, 65536, true), "enough"},
		{"not counted", files(-1, 65536, true), "enough"},
		{"low", files(20, 1024, true), "low"},
		{"full", files(900, 1024, true), "full"},
		{"denied", files(0, 0, false), "not_known"},
		{"healthy", watch(ProcessSeen{Watching: true, WatchKnown: true, Watches: 524288, Instances: 128}), "enough"},
		{"unused", watch(ProcessSeen{}), "unused"},
		{"few watches", watch(ProcessSeen{Watching: true, WatchKnown: true, Watches: 100, Instances: 128}), "low"},
		{"few instances", watch(ProcessSeen{Watching: true, WatchKnown: true, Watches: 524288, Instances: 8}), "low"},
		{"used up", watch(ProcessSeen{Watching: true, WatchKnown: true, Watches: 10000, WatchesUsed: 9000, Instances: 128}), "low"},
		{"no limits", watch(ProcessSeen{Watching: true}), "not_known"},
	}
}

func webCases() []ruled {
	return []ruled{
		{"healthy", judgeWeb(WebSeen{Listen: ":3000", Manager: true}), "answers"},
		{"with a proxy", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Public: "https://x"}), "answers"},
		{"off", judgeWeb(WebSeen{Manager: true}), "off"},
		{"nobody", judgeWeb(WebSeen{Listen: ":3000"}), "no_manager"},
		{"silent", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Silent: true, Answer: "refused"}), "silent"},
		{"another manager", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Another: true, Silent: true, Answer: "refused"}), "another"},
		{"stranger", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Answer: "it answers 404 Not Found"}), "stranger"},
		{"no DNS here", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Public: "https://x", Outside: "no answer", Unreached: true}), "unreached"},
		{"welcome to nginx", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Public: "https://x", Outside: "it answers 404 Not Found", Default: true}), "nginx_default"},
		{"proxy", judgeWeb(WebSeen{Listen: ":3000", Manager: true, Public: "https://x", Outside: "it answers 502 Bad Gateway"}), "proxy"},
	}
}

func loginCases() []ruled {
	header := func(change func(*config.Config)) Result {
		cfg := config.Config{Server: config.Server{Listen: ":3000", TrustedProxies: []string{"127.0.0.1/32"}, UserHeader: "X-Remote-User"}, Auth: config.Auth{Mode: "login"}}
		change(&cfg)
		return judgeHeader(cfg, false)
	}
	with := func(break_ func(*LoginSeen)) Result {
		o := LoginSeen{Path: "/htpasswd", Login: true, Listens: true, Mode: 0o640, Users: 20}
		break_(&o)
		return judgeLogin(o)
	}
	return []ruled{
		{"a made-up header", judgeHeader(config.Config{Server: config.Server{UserHeader: "X-Remote-User", PublicURL: "https://x"}}, true), "forged"},
		{"any process names users", header(func(*config.Config) {}), "open"},
		{"with a secret", header(func(c *config.Config) { c.Server.ProxySecret = "0123456789abcdef" }), "secret"},
		{"a password file, and no header written", header(func(c *config.Config) { c.Auth.Htpasswd = "/htpasswd" }), "none"},
		{"no proxy", header(func(c *config.Config) { c.Server.TrustedProxies = nil }), "none"},
		{"open mode", header(func(c *config.Config) { c.Auth.Mode = "open" }), "none"},
		{"healthy", with(func(*LoginSeen) {}), "good"},
		{"header", with(func(o *LoginSeen) { o.Path, o.Header = "", "X-Remote-User" }), "header"},
		{"socket", with(func(o *LoginSeen) { o.Path, o.Listens = "", false }), "socket_only"},
		{"open", with(func(o *LoginSeen) { o.Path, o.Login = "", false }), "open"},
		{"missing", with(func(o *LoginSeen) { o.Missing = true }), "missing"},
		{"written by everybody", with(func(o *LoginSeen) { o.Mode = 0o666 }), "writable"},
		{"written by a group", with(func(o *LoginSeen) { o.Mode = 0o660 }), "group"},
		{"docker's folder", with(func(o *LoginSeen) { o.Folder = true }), "folder"},
		{"denied", with(func(o *LoginSeen) { o.Unreadable = "permission denied" }), "unreadable"},
		{"md5", with(func(o *LoginSeen) { o.BadLine = "line 1: the password of a is not bcrypt" }), "bad_line"},
		{"empty", with(func(o *LoginSeen) { o.Users = 0 }), "empty"},
		{"public", with(func(o *LoginSeen) { o.Mode = 0o644 }), "public"},
	}
}

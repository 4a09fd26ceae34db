// Package config holds every setting of qmtui in one struct, with its unit,
// zero value and default beside it, and reads it from a TOML file, the
// environment and flags. It starts nothing.
//
// Precedence, weakest first: defaults, the file (or, without a file, the
// environment names of the site, see site.go), QMTUI_SECTION_KEY, flags.
package config

//go:generate go run generate.go

// Config is everything that can be set. The zero value is not usable: start
// from Default or Load. A Config is a plain value; nobody changes it after Load.
//
// The tags of a field are its documentation and are all read by the code:
// toml is the key, default its default as text, doc what it does with its unit,
// zero what 0, "off" or "" means (without it, zero is refused), one the allowed
// words, min and max the bounds, path "abs" or "local" the kind of path.
type Config struct {
	Server      Server       `toml:"server" doc:"Where qmtui listens, and whom it believes about the user."`
	State       State        `toml:"state" doc:"Where qmtui keeps its own data."`
	Share       Share        `toml:"share" doc:"The folder that qmtui and the GPU workers both see."`
	Users       Users        `toml:"users" doc:"The users' own folders, and what one user may take at once."`
	Limits      Limits       `toml:"limits" doc:"What one user may take of the resources that all users share: five to ten times what a busy user of a workshop needs. Beyond a limit the answer is 429 with the time to try again. The admin on the unix socket and sessions by SSH have no limit."`
	Queue       Queue        `toml:"queue" doc:"How jobs wait, and how long qmtui waits for them."`
	Tag         Tag          `toml:"tag" doc:"How a prompt is marked, so that its outputs are known again. Off only for a server that cannot bear it."`
	Retention   Retention    `toml:"retention" doc:"How long things are kept."`
	Auth        Auth         `toml:"auth" doc:"Who may do what. The unix socket is always the admin's."`
	Calendar    Calendar     `toml:"calendar" doc:"When it is what day, for the times and days that other keys name."`
	Budget      Budget       `toml:"budget" doc:"What may be spent. Beyond it jobs wait, and an admin can go on knowingly: qmtui queue resume --over-budget."`
	Verda       Verda        `toml:"verda" doc:"The platform's control API, for deployments with driver = \"verda\"."`
	SSH         SSH          `toml:"ssh" doc:"The panel by SSH, on a port of its own, see remote.md. Off unless it listens."`
	Metrics     Metrics      `toml:"metrics" doc:"What Prometheus may read at /metrics."`
	Log         Log          `toml:"log" doc:"What is logged, to stderr."`
	Deployments []Deployment `toml:"deployment" doc:"One table for each place that runs prompts."`
	SaveNodes   []SaveNode   `toml:"save_node" doc:"What is known of a node class that saves files, one table for each: see save-nodes.md. It wins over what qmtui knows itself."`
}

// Server is where qmtui listens, and whom it believes about the user.
type Server struct {
	Listen          string   `toml:"listen" default:"127.0.0.1:3000" zero:"no TCP, only the socket" doc:"Address and port for HTTP."`
	Socket          string   `toml:"socket" path:"abs" zero:"qmtui.sock beside the database when state.dir is set, else in the runtime folder" doc:"Unix socket, at most 103 bytes long."`
	PublicURL       string   `toml:"public_url" zero:"not known; links are relative" doc:"The address under which people reach this server, such as https://example.org/qm."`
	TrustedProxies  []string `toml:"trusted_proxies" default:"127.0.0.1/32,::1/128" zero:"nobody" doc:"Networks (CIDR) whose user header and X-Forwarded-For are believed."`
	UserHeader      string   `toml:"user_header" default:"X-Remote-User" zero:"no header is believed" written:"login" doc:"Header in which a trusted proxy names the user. Writing it down, even with its default, makes auth.mode \"auto\" mean login."`
	ProxySecretEnv  string   `toml:"proxy_secret_env" zero:"none" doc:"Name of the environment variable that holds the secret that a proxy sends with the user header, in X-Qmtui-Proxy-Secret."`
	ProxySecretFile string   `toml:"proxy_secret_file" path:"abs" zero:"none; every process at an address of trusted_proxies may say who it is" doc:"File that holds that secret. With it, the user header is believed from nobody else."`

	// ProxySecret is filled by Load; it is never in the file and prints as stars.
	ProxySecret Secret `toml:"-" secret:"proxy_secret"`

	// headerSet: user_header was written by somebody and is not empty.
	headerSet bool
}

// State is where qmtui keeps its own data.
type State struct {
	Dir string `toml:"dir" path:"abs" zero:"$XDG_STATE_HOME/qmtui, or /var/lib/qmtui for root when it exists, else ~/.local/state/qmtui" doc:"Folder of the database and its lock, on a local disk; also of the socket when set."`
}

// Share is the folder that qmtui and the GPU workers both see.
type Share struct {
	Outputs      string   `toml:"outputs" default:"/mnt/sfs/outputs" path:"abs" doc:"The workers' output folder as mounted here. Without file and site names: <state>/share/outputs."`
	Inputs       string   `toml:"inputs" path:"abs" zero:"users' inputs are not carried to the workers" doc:"The workers' --input-directory as mounted here, for writing. With users.inputs: what a workflow loads is brought there, see inputs.md."`
	Poll         Duration `toml:"poll" default:"1s" min:"1ms" max:"10m" doc:"Time between two looks into a live attempt's folder."`
	Watch        string   `toml:"watch" default:"auto" one:"auto,poll,notify" doc:"Whether file events may bring a look forward; looking alone is always enough."`
	Sweep        Duration `toml:"sweep" default:"10m" min:"1ms" zero:"no sweep: orphans are not found" doc:"Time between two slow sweeps of the whole share for orphans."`
	FreeReserve  Bytes    `toml:"free_reserve" default:"1GiB" zero:"no reserve" doc:"Free space that must be left where outputs and inputs are copied to; below it no copy begins. Uploads leave twice as much, so that they stop no delivery, and new jobs leave a quarter of it on the disk of state.dir."`
	MaxFolders   int      `toml:"max_folders" default:"16" min:"1" max:"1024" doc:"Folders that are looked into at the same time."`
	Sentinel     string   `toml:"sentinel" path:"local" zero:"none" doc:"File below share.outputs that proves that the share is mounted. Missing means not mounted, never empty."`
	RequireMount bool     `toml:"require_mount" default:"false" doc:"Believe an empty share only when share.outputs is on another file system than the root."`
}

// Users is the users' own folders, and what one user may take at once.
type Users struct {
	Outputs       string   `toml:"outputs" default:"/outputs" path:"abs" doc:"Each user's outputs go to <outputs>/<user>/. Without file and site names: <state>/users."`
	Inputs        string   `toml:"inputs" path:"abs" zero:"no uploads are taken, and inputs are not carried to the workers" doc:"Each user's uploads are in <inputs>/<user>/: the input folder of that user's own page."`
	Subfolder     string   `toml:"subfolder" path:"local" zero:"the user's folder is the page's own output folder" doc:"Put before the subfolder of an output when it is shown to a page; {user} stands for the user's name."`
	Cancelled     string   `toml:"cancelled" default:"cancelled" path:"local" doc:"Sub-folder of the user's folder for files of cancelled jobs."`
	MaxQueued     int      `toml:"max_queued" default:"50" min:"1" doc:"Jobs of one user that may wait at once; more get 429."`
	MaxRunning    int      `toml:"max_running" default:"2" min:"1" doc:"Jobs of one user that may be with the workers at once."`
	Copies        int      `toml:"copies" default:"4" min:"1" max:"256" doc:"Files that are copied to users at the same time."`
	CopiesPerUser int      `toml:"copies_per_user" default:"2" min:"1" max:"256" doc:"Of these, for one user."`
	FileMode      FileMode `toml:"file_mode" default:"0644" doc:"Permissions of a delivered file, in octal."`
	DirMode       FileMode `toml:"dir_mode" default:"0755" doc:"Permissions of a folder made for a user, in octal."`
}

// Limits is what one user may take of what all share.
type Limits struct {
	Streams     int   `toml:"streams" default:"24" max:"480" zero:"no limit" doc:"Event streams at once: panels, qmtui submit --wait, scripts."`
	Sockets     int   `toml:"sockets" default:"32" max:"1024" zero:"no limit" doc:"WebSockets at once: pages."`
	Submits     int   `toml:"submits" default:"300" max:"1000000" zero:"no limit" doc:"Submits within a minute."`
	PromptBytes Bytes `toml:"prompt_bytes" default:"1GiB" zero:"no limit" doc:"Size of what is submitted within an hour."`
	Uploads     int   `toml:"uploads" default:"5000" max:"1000000" zero:"no limit" doc:"Files uploaded within an hour."`
	UploadBytes Bytes `toml:"upload_bytes" default:"20GiB" zero:"no limit" doc:"Size of what is uploaded within an hour."`
	InputFiles  int   `toml:"input_files" default:"20000" max:"1000000" zero:"no limit" doc:"Files in the user's folder of users.inputs, with which it takes no more uploads."`
	InputBytes  Bytes `toml:"input_bytes" default:"50GiB" zero:"no limit" doc:"Size of that folder."`
	LedgerBytes Bytes `toml:"ledger_bytes" default:"512MiB" zero:"no limit" doc:"What the user's ended jobs may take in the ledger. Beyond it the oldest are forgotten, sooner than retention.jobs says; delivered files stay."`
}

// Queue is how jobs wait, and how long qmtui waits for them.
type Queue struct {
	MaxDepth        int      `toml:"max_depth" default:"1000" min:"1" max:"1000000" doc:"Jobs that may wait at once, of all users; more get 429."`
	Mode            string   `toml:"mode" default:"fair" one:"fair,fifo" doc:"fair charges each user the measured GPU time; fifo is first come, first served. Priorities count in both."`
	AcceptTimeout   Duration `toml:"accept_timeout" default:"15m" doc:"Time for a deployment to accept a prompt, cold start included."`
	DoubtTimeout    Duration `toml:"doubt_timeout" default:"5m" doc:"Least time without a sign before a prompt that nobody answered for is tried again under a new prompt id. While a deployment is starting, a cold start is waited for as well; once it is warm and its usual times are known, these decide."`
	EvidenceTimeout Duration `toml:"evidence_timeout" default:"20m" doc:"Time from acceptance without a sign of the prompt, after which it is tried again. Once a deployment is warm and its usual times are known, these decide."`
	RunTimeout      Duration `toml:"run_timeout" default:"30m" doc:"Time from the first evidence until the job must have ended."`
	Settle          Duration `toml:"settle" default:"3s" doc:"Time that an attempt's folder must be quiet before its outputs count as complete when nothing else says so. Where the number of files is unknown it is three times that, or three times the longest pause between two of them."`
	LateWindow      Duration `toml:"late_window" default:"15m" doc:"Time after the end of an attempt in which its folder is still looked into, for late files."`
	Previews        string   `toml:"previews" default:"refuse" one:"refuse,save" doc:"What becomes of a prompt that only shows previews: it is refused, or its PreviewImage and PreviewAudio nodes are turned into save nodes."`
	Retries         int      `toml:"retries" default:"2" max:"100" zero:"never" doc:"New attempts that are made without being asked, for lost and for transiently refused ones."`
	Partial         string   `toml:"partial" default:"retry" one:"retry,accept" doc:"What becomes of an attempt that was broken off with some of its files delivered: retry tries it again while retries are left, accept ends the job as done with a warning."`
}

// Tag is how a prompt is marked, so that its outputs are known again.
type Tag struct {
	Prefix   bool `toml:"prefix" default:"true" doc:"Give every output node a folder of its own, qm/<prompt id>/<node>/: the strongest evidence."`
	Metadata bool `toml:"metadata" default:"true" doc:"Embed the key qm in the metadata of the outputs."`
	Marker   bool `toml:"marker" default:"true" doc:"Add a 1x1 picture that shows on the share that execution began; it is never delivered."`
}

// Retention is how long things are kept.
type Retention struct {
	Jobs   Duration `toml:"jobs" default:"30d" zero:"for ever" doc:"Ended jobs are forgotten after this time. Delivered files stay."`
	Inputs Duration `toml:"inputs" default:"7d" min:"1m" zero:"never" doc:"What was brought to share.inputs is removed from there this long after its last use. The users' own files stay."`
	Share  Duration `toml:"share" default:"off" zero:"never" doc:"Delivered files are removed from the share after this time. A read-only share needs off."`
}

// Auth is who may do what.
type Auth struct {
	Mode           string   `toml:"mode" default:"auto" one:"auto,login,open" doc:"login asks for a cookie, a token or a trusted header; open believes loopback peers; auto is login when a password file or a user header is set, else open."`
	Htpasswd       string   `toml:"htpasswd" path:"abs" zero:"no passwords" doc:"Password file, one user:hash a line."`
	SessionKeyFile string   `toml:"session_key_file" path:"abs" zero:"made in the state folder" doc:"File with the key that signs cookies."`
	SessionTTL     Duration `toml:"session_ttl" default:"12h" min:"1m" doc:"Time a login lasts."`
	Admins         []string `toml:"admins" default:"admin" zero:"nobody but the socket" doc:"Users who may do everything."`
}

// Calendar is when it is what day.
type Calendar struct {
	Timezone     string   `toml:"timezone" zero:"the machine's own" doc:"Time zone of all times and days in this file, such as Europe/Amsterdam; spending is counted by its days."`
	WorkshopDays []string `toml:"workshop_days" zero:"none" doc:"What the word workshop stands for in times and windows: 2026-12-01, 2026-12-01..2026-12-05, mon, mon-fri."`
}

// Budget is what may be spent.
type Budget struct {
	PerDay float64 `toml:"per_day" default:"0" min:"0" max:"1000000" zero:"no cap" doc:"What a day may cost over all deployments, by estimate, in the currency of price_per_hour."`
}

// Verda is the platform's control API. It is only ever read, unless a
// deployment's hold asks for more.
type Verda struct {
	APIURL           string `toml:"api_url" default:"https://api.verda.com/v1" doc:"Address of the control API."`
	ClientID         string `toml:"client_id" zero:"the control API is not used" doc:"OAuth2 client id."`
	ClientSecretEnv  string `toml:"client_secret_env" zero:"none" doc:"Name of the environment variable that holds the client secret."`
	ClientSecretFile string `toml:"client_secret_file" path:"abs" zero:"none" doc:"File that holds the client secret."`

	// ClientSecret is filled by Load; it is never in the file and prints as stars.
	ClientSecret Secret `toml:"-" secret:"client_secret"`
}

// SSH is the panel by SSH, on a port of its own.
type SSH struct {
	Listen         string   `toml:"listen" zero:"off" doc:"Address and port for SSH, such as \"100.101.102.103:3022\" of the Tailscale net."`
	HostKeyFile    string   `toml:"host_key_file" path:"abs" zero:"ssh_host_key in the state folder" doc:"Private key of this server; made at the first start."`
	AuthorizedKeys string   `toml:"authorized_keys" path:"abs" zero:"ssh_authorized_keys in the state folder" doc:"File of the keys that may come in, as OpenSSH's; a line that begins with read-only may only look. Read again at every login."`
	ReadOnlyKeys   string   `toml:"read_only_keys" path:"abs" zero:"none" doc:"File of keys that may only look."`
	IdleTimeout    Duration `toml:"idle_timeout" default:"12h" min:"1s" zero:"never" doc:"Time without a key pressed after which a panel is closed."`
	MaxSessions    int      `toml:"max_sessions" default:"16" min:"1" max:"1000" doc:"Panels that may be open at once by SSH."`
}

// Metrics is what Prometheus may read at /metrics.
type Metrics struct {
	Readers []string `toml:"readers" default:"prometheus" zero:"admins only" doc:"Users beside the admins who may read the metrics, by a token for example. They get nothing else by it."`
	Users   int      `toml:"users" default:"0" zero:"no user is named" min:"0" max:"100" doc:"The busiest users, this many, who are told by name."`
}

// Log is what is logged, to stderr.
type Log struct {
	Level  string `toml:"level" default:"info" one:"debug,info,warn,error" doc:"The least that is logged."`
	Format string `toml:"format" default:"text" one:"text,json" doc:"How a line looks."`
}

// Deployment is one place that runs prompts: a ComfyUI, or a load balancer with
// several replicas of it behind.
type Deployment struct {
	Name         string   `toml:"name" doc:"Its name: letters, digits, - and _, unique."`
	Driver       string   `toml:"driver" default:"comfyui" one:"comfyui,verda" doc:"comfyui speaks only ComfyUI's own protocol; verda also asks the platform."`
	URL          string   `toml:"url" doc:"Address of ComfyUI, with the path before /prompt when there is one."`
	KeyEnv       string   `toml:"key_env" zero:"none" doc:"Name of the environment variable that holds the bearer key."`
	KeyFile      string   `toml:"key_file" path:"abs" zero:"none" doc:"File that holds the bearer key."`
	Capacity     int      `toml:"capacity" default:"1" min:"1" max:"10000" doc:"Prompts that may be there at once."`
	PricePerHour float64  `toml:"price_per_hour" default:"0" min:"0" max:"100000" zero:"not known" doc:"Price of one replica for an hour, for the cost figures; no currency."`
	Keepalive    Duration `toml:"keepalive" default:"5s" min:"1ms" zero:"no polls: a platform may stop a rendering replica" doc:"Time between two evidence polls while jobs are in flight, which also keep the replica busy; about young attempts, and those whose usual time is over, it is asked more often."`
	ScaleToZero  bool     `toml:"scale_to_zero" default:"true" doc:"It may be asleep, and any request wakes a paid machine: ask nothing unless jobs are in flight."`
	Active       bool     `toml:"active" default:"false" doc:"Jobs go here; at most one. When none says true, the first that does not say false is active; when all say false, jobs wait until an admin chooses one."`

	BudgetPerDay float64  `toml:"budget_per_day" default:"0" min:"0" max:"1000000" zero:"no cap" doc:"What a day may cost here, by estimate. One more billing step beyond it and no job is sent here until midnight."`
	Hold         string   `toml:"hold" default:"off" one:"off,busy,windows,both" doc:"When one replica is kept through the platform's min_replica_count, and given back afterwards: busy while jobs are in flight, windows in hold_windows. It costs money and drifts from the site's infrastructure code."`
	HoldWindows  []string `toml:"hold_windows" zero:"none" doc:"When a replica is held while this deployment is active, such as mon-fri 09:45-17:00 or workshop 09:45-17:00."`
	WarmAt       []string `toml:"warm_at" zero:"never" doc:"When it is woken by itself while it is active, such as workshop 09:50, mon-fri 08:50 or 2026-12-01 09:50."`
	WarmFor      Duration `toml:"warm_for" default:"15m" max:"4h" zero:"it is only woken" doc:"How long it is kept awake after that when nobody submits."`
	WarmMaxCost  float64  `toml:"warm_max_cost" default:"0" min:"0" max:"100000" zero:"none is done" doc:"What the warm-ups of one day may cost, by estimate; one beyond it is left out with a warning."`

	FailoverTo   []string `toml:"failover_to" zero:"never" doc:"Deployments that take over when this one is in trouble, in order of preference. Jobs that are still queued go there until an admin chooses again."`
	FailoverOn   []string `toml:"failover_on" zero:"all of them" doc:"Which trouble: spot_lost (a replica was taken away while it rendered), quota_reached, failing (it answers errors, or nothing), wait_over (a prompt waits too long for a machine)."`
	FailoverWait Duration `toml:"failover_wait" default:"off" zero:"never" doc:"How long a prompt may wait for a machine before wait_over."`
	FailoverFor  Duration `toml:"failover_for" default:"1m" min:"1s" doc:"How long failing must last."`

	// Key is filled by Load; it is never in the file and prints as stars.
	Key Secret `toml:"-" secret:"key"`
}

// SaveNode is what an installation knows of a node class. Every input is that of
// the node; one that is empty is not there.
type SaveNode struct {
	Class    string   `toml:"class" doc:"The class name, as it stands in a prompt."`
	Folder   string   `toml:"folder" zero:"none" doc:"Its input that names a folder; it gets the folder of the attempt in front."`
	Prefix   string   `toml:"prefix" zero:"none" doc:"Its input that names folders and the beginning of a file name, as ComfyUI's own filename_prefix does; the same."`
	Path     string   `toml:"path" zero:"none" doc:"Its input that names folders and a whole file name; the same."`
	Name     string   `toml:"name" zero:"none" doc:"Its input that names a file without folders; with folder only. It never gets a slash."`
	OffWhen  []string `toml:"off_when" zero:"always saves" doc:"When it saves nothing: input = value, or input != value, one of them is enough."`
	Metadata bool     `toml:"metadata" default:"false" doc:"Its files carry the prompt."`
	None     string   `toml:"none" zero:"it saves files" doc:"It saves nothing; what it does instead, such as shows pictures on the page."`
}

// NewSaveNode is a save node with every default.
func NewSaveNode() SaveNode {
	var n SaveNode
	for _, f := range n.fields(0) {
		f.setDefault()
	}
	return n
}

// Default is the configuration when nobody has said anything. It has no deployment.
func Default() Config {
	var cfg Config
	for _, f := range cfg.sectionFields() {
		f.setDefault()
	}
	return cfg
}

// NewDeployment is a deployment with every default and the given name.
func NewDeployment(name string) Deployment {
	var d Deployment
	for _, f := range d.fields(0) {
		f.setDefault()
	}
	d.Name = name
	return d
}

// RequiresLogin resolves auth.mode: false means that loopback peers are
// believed about who they are.
func (c Config) RequiresLogin() bool {
	switch c.Auth.Mode {
	case "login":
		return true
	case "open":
		return false
	}
	return c.Auth.Htpasswd != "" || c.Server.headerSet
}

// TrustedHeader is the header in which trusted proxies name the user; empty
// when none is believed. Beside a password file only a header that somebody
// wrote down is: a proxy that was not told of it hands on what callers send.
func (c Config) TrustedHeader() string {
	if c.Auth.Htpasswd != "" && !c.Server.headerSet {
		return ""
	}
	return c.Server.UserHeader
}

// CarriesInputs reports whether what workflows load is brought to the workers.
func (c Config) CarriesInputs() bool { return c.Share.Inputs != "" && c.Users.Inputs != "" }

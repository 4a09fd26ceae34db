package doctor

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The checks of each deployment.
var (
	workerAnswers = &Check{Name: "deployment", Looks: "whether its address answers and takes the key. A deployment that may be asleep is asked nothing without --wake: what the manager knows is told, with its age", Cases: []int{1, 7},
		Rulings: []Ruling{
			{"answers", OK, "it answers", ""},
			{"asleep", OK, "it was not asked, and nothing is known against it", ""},
			{"not_known", Skip, "it was not asked, and the manager has not heard of it either", ""},
			{"key", Fail, "404, 401 or 403: the platform says 404 for a missing key", "check the deployment's key first, then its url"},
			{"unreachable", Fail, "nobody answers at the address", "check the deployment's url and the way out of this machine"},
			{"errors", Fail, "it answers with errors", "look at the deployment's log on the platform"},
			{"refused", Fail, "the manager sends nothing there, since its prompts are refused", "check the deployment's key, then its url; a changed key_file is read at once, other changes need a restart of the manager"},
			{"failing", Warn, "it was not asked, and failed when the manager last did", "run qmtui doctor --wake, which costs money when it is asleep"},
			{"stuck", Warn, "it has taken prompts and answers nothing of them", "look at the deployment's log on the platform; restart the replica"},
		}}
	workerOutput = &Check{Name: "output-directory", Looks: "argv of the worker in /system_stats: --output-directory", Cases: []int{3},
		Rulings: []Ruling{
			{"set", OK, "it is there", ""},
			{"delivers", OK, "it is not, and files from there come to the share", ""},
			{"missing", Fail, "it is not: results go to a disk of the worker's own, and vanish with it where that is a container", "add --output-directory with the mounted share to the deployment's command line"},
			{"elsewhere", Fail, "files that workers reported did not come to the share: they write to another volume or folder", "let the workers mount the volume that share.outputs is, and compare the folder of --output-directory"},
			{"differ", Fail, "replicas have different ones: files of some never come", "give all replicas the same --output-directory, and start those anew that have another"},
			{"local", OK, "it is not, and the server runs on this machine with the share as its own folder", ""},
			{"unproven", Warn, "it is not, and nothing shows whether the folder of the server on this machine is the share", "run qmtui doctor --canary, or start the server with --output-directory and the folder of share.outputs"},
			{"not_known", Skip, "nobody has asked the worker yet", ""},
		}}
	workerAssets = &Check{Name: "assets", Looks: "argv of the worker in /system_stats: --enable-assets, with which ComfyUI keeps track of all files (0.33 and later)",
		Rulings: []Ruling{
			{"off", OK, "it is not there", ""},
			{"on", Warn, "it is there: the server looks at every file of the share at its start, at every list of its nodes and at the end of every prompt, and exits when another replica has its database open", "leave it out, or give each replica a database of its own: --database-url sqlite:///:memory:"},
			{"not_known", Skip, "nobody has asked the worker yet", ""},
		}}
	workerInput = &Check{Name: "input-directory", Looks: "argv of the worker in /system_stats: --input-directory, where what prompts load is brought to share.inputs", Cases: []int{14},
		Rulings: []Ruling{
			{"set", OK, "it is there", ""},
			{"off", Skip, "nothing is brought to the workers: share.inputs and users.inputs are not both set", ""},
			{"missing", Fail, "it is not: the worker looks into a folder of its own and refuses prompts that load files", "add --input-directory with the mounted folder of share.inputs to the deployment's command line"},
			{"local", OK, "it is not, and the server runs on this machine with a folder of its own", ""},
			{"not_known", Skip, "nobody has asked the worker yet", ""},
		}}
	workerVersion = &Check{Name: "comfyui-version", Looks: "comfyui_version in /system_stats",
		Rulings: []Ruling{
			{"known", OK, "it is a version that was tried, or newer", ""},
			{"old", Warn, "it is older than 0.3.64, the oldest that was cross-checked", "try one prompt of each kind with qmtui doctor --canary and qmtui submit"},
			{"not_known", Skip, "nobody has asked the worker yet, or it does not say", ""},
		}}
	workerModels = &Check{Name: "models", Looks: "/object_info: node classes and model files that the example prompts name", Cases: []int{9, 14},
		Rulings: []Ruling{
			{"there", OK, "all are there", ""},
			{"models", Warn, "model files are missing", "put them into the models folder of the workers, or choose other prompts"},
			{"empty", Fail, "its list of nodes is empty, so it refuses every prompt", "see in the worker's log why ComfyUI has no nodes, and restart it"},
			{"classes", Warn, "node classes are missing", "install the custom nodes on the workers, or choose other prompts"},
			{"not_known", Skip, "nobody may ask: it could wake a machine", ""},
		}}
	workerClock = &Check{Name: "worker-clock", Looks: "the Date header of the deployment's answer",
		Rulings: []Ruling{
			{"agrees", OK, "the clocks agree", ""},
			{"skewed", Warn, "they differ by more than five seconds", "let this machine keep time by NTP: stamps of the platform are compared with its clock"},
			{"not_known", Skip, "nobody asked, or the answer had no date", ""},
		}}
	workerSaves = &Check{Name: "save-nodes", Looks: "what runs there showed the manager of node classes that it does not know: whether they save outside the folders of their jobs",
		Rulings: []Ruling{
			{"good", OK, "nothing was learned of any class", ""},
			{"turns", Warn, "classes save outside the folders of their jobs: their jobs run one after the other", "describe the inputs of these classes with [[save_node]] in the configuration; jobs of a class that takes a folder need not wait for one another then"},
			{"nothing", OK, "classes were seen to save no file outside the folders of their jobs", "if a job of one of them brings no file, look at its inputs and at the deployment's log"},
			{"not_known", Skip, "no manager knows the deployment", ""},
		}}
	workerSilent = &Check{Name: "silent-attempts", Looks: "attempts of the deployment that give no sign for clearly longer than usual",
		Rulings: []Ruling{
			{"none", OK, "there are none", ""},
			{"silent", Warn, "there are some", "look on the platform whether a replica was taken away under them; they are given up by themselves, and at once when their jobs are cancelled"},
			{"not_known", Skip, "no manager knows the deployment", ""},
		}}
)

// WorkerSeen is one deployment.
type WorkerSeen struct {
	Name   string
	URL    string
	Asked  bool           // just now, by doctor
	Known  bool           // the manager knows it
	Report job.Deployment // what the manager knows
	Now    time.Time

	Error  *job.Error // what asking ended with; nil when it answered
	System *job.System
	At     time.Time // of System
	Date   time.Time // the Date header; zero when there was none
	DateAt time.Time // when it was read

	NodesKnown     bool
	NoNodes        bool     // the list was empty
	OnShare        bool     // one of its folders for files is share.outputs
	Classes        []string // that are missing
	Models         []string // that are missing
	Prompts        int      // that were looked at
	WhyNotAsked    string
	MachineIsLocal bool // the url leads to this machine
	Carries        bool // what prompts load is brought to share.inputs
}

func judgeWorker(o WorkerSeen) []Result {
	all := []Result{judgeAnswer(o), judgeOutputDirectory(o), judgeInputDirectory(o), judgeAssets(o), judgeVersion(o), judgeModels(o), judgeNodes(o), judgeWorkerClock(o), judgeSaves(o), judgeSilent(o)}
	for i := range all {
		all[i] = all[i].about(o.Name)
	}
	return all
}

func judgeAnswer(o WorkerSeen) Result {
	c := workerAnswers
	if !o.Asked {
		return judgeHearsay(o)
	}
	switch e := o.Error; {
	case e == nil && o.stopped("endpoint_or_key"):
		return c.say("refused", "%s answers doctor with the key of this configuration, and the manager's prompts were refused%s: %s", o.Name, o.age(o.Report.Stopped.At), o.Report.Stopped.Message)
	case e == nil:
		return c.say("answers", "%s answers", o.Name)
	case e.Code == "endpoint_or_key":
		return c.say("key", "%s: %s", o.Name, e.Message)
	case e.Code == "timeout" || e.Code == "unreachable" || e.Class == job.Unavailable && e.Code != "server_error" && e.Code != "busy":
		return c.say("unreachable", "%s: %s", o.Name, e.Message)
	default:
		return c.say("errors", "%s: %s", o.Name, e.Message)
	}
}

// judgeHearsay says what the manager knows of a deployment that nobody asked.
func judgeHearsay(o WorkerSeen) Result {
	c, r := workerAnswers, o.Report
	why := o.WhyNotAsked
	switch {
	case !o.Known:
		return c.say("not_known", "%s was not asked (%s), and no manager knows of it", o.Name, why)
	case r.Error != nil && r.Error.Code == "dead_worker":
		return c.say("stuck", "%s: %s", o.Name, r.Error.Message)
	case o.stopped("endpoint_or_key"), o.stopped("no_nodes"):
		return c.say("refused", "%s was not asked (%s), and the manager's prompts were refused%s: %s", o.Name, why, o.age(r.Stopped.At), r.Stopped.Message).next("%s", r.Stopped.Hint)
	case r.State == job.WarmthFailing:
		return c.say("failing", "%s was not asked (%s); the manager knows it as failing%s%s", o.Name, why, because(r), o.age(r.At))
	case r.At.IsZero():
		return c.say("not_known", "%s was not asked (%s), and the manager has not heard of it yet", o.Name, why)
	}
	return c.say("asleep", "%s was not asked (%s); the manager knows it as %s%s", o.Name, why, r.State, o.age(r.At))
}

// stopped reports that the manager sends nothing there for that reason.
func (o WorkerSeen) stopped(code string) bool {
	return o.Report.Stopped != nil && o.Report.Stopped.Code == code
}

func because(d job.Deployment) string {
	switch {
	case d.Error != nil:
		return ": " + d.Error.Message
	case d.Because != "":
		return ": " + d.Because
	}
	return ""
}

func (o WorkerSeen) age(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", heard " + ago(max(0, o.Now.Sub(at)))
}

func judgeOutputDirectory(o WorkerSeen) Result {
	c := workerOutput
	switch {
	case o.Report.Error != nil && o.Report.Error.Code == "replicas_differ":
		return c.say("differ", "%s: %s", o.Name, o.Report.Error.Message)
	case o.stopped("other_volume"):
		return c.say("elsewhere", "%s", o.Report.Stopped.Message)
	case o.stopped("no_output_directory"):
		return c.say("missing", "%s", o.Report.Stopped.Message)
	case o.System == nil:
		return c.say("not_known", "nobody has asked %s for its command line yet", o.Name)
	case o.System.OutputDirectory != "":
		return c.say("set", "%s writes to %s%s", o.Name, o.System.OutputDirectory, o.heard())
	case hasFlag(o.System.Argv, "--base-directory"):
		return c.say("set", "%s has --base-directory%s", o.Name, o.heard())
	case len(o.System.Argv) == 0:
		return c.say("not_known", "%s does not tell its command line", o.Name)
	case o.delivers():
		return c.say("delivers", "%s runs without --output-directory, and its files come to the share%s", o.Name, o.age(o.Report.Delivers))
	case o.OnShare:
		return c.say("local", "%s runs on this machine, and its own output folder is the share", o.Name)
	case o.MachineIsLocal:
		return c.say("unproven", "%s runs on this machine without --output-directory, and nothing shows that its own folder is the share", o.Name)
	}
	return c.say("missing", "%s runs without --output-directory%s", o.Name, o.heard())
}

// delivers reports a worker without --output-directory of which files came while it
// was that already, as far as the manager asked: it does so once a minute.
func (o WorkerSeen) delivers() bool {
	r := o.Report
	return !r.Delivers.IsZero() && r.System.OwnOutput() && r.Delivers.Add(2*time.Minute).After(r.SystemAt)
}

func judgeAssets(o WorkerSeen) Result {
	c := workerAssets
	switch {
	case o.System == nil || len(o.System.Argv) == 0:
		return c.say("not_known", "the command line of %s is not known", o.Name)
	case hasFlag(o.System.Argv, "--enable-assets"):
		return c.say("on", "%s runs with --enable-assets%s", o.Name, o.heard())
	}
	return c.say("off", "%s does not keep track of files", o.Name)
}

func judgeInputDirectory(o WorkerSeen) Result {
	c := workerInput
	switch {
	case !o.Carries:
		return c.say("off", "what prompts load is not brought to the workers")
	case o.System == nil:
		return c.say("not_known", "nobody has asked %s for its command line yet", o.Name)
	case len(o.System.Argv) == 0:
		return c.say("not_known", "%s does not tell its command line", o.Name)
	case hasFlag(o.System.Argv, "--input-directory"):
		return c.say("set", "%s has --input-directory%s", o.Name, o.heard())
	case hasFlag(o.System.Argv, "--base-directory"):
		return c.say("set", "%s has --base-directory%s", o.Name, o.heard())
	case o.MachineIsLocal:
		return c.say("local", "%s runs on this machine with an input folder of its own; make that share.inputs", o.Name)
	}
	return c.say("missing", "%s runs without --input-directory%s", o.Name, o.heard())
}

// hasFlag reports a flag of a command line, with its value behind it or after it.
func hasFlag(argv []string, flag string) bool {
	return slices.ContainsFunc(argv, func(a string) bool { return a == flag || strings.HasPrefix(a, flag+"=") })
}

// heard says how old the worker's word is, when nobody asked just now.
func (o WorkerSeen) heard() string {
	if o.Asked {
		return ""
	}
	return o.age(o.At)
}

func judgeVersion(o WorkerSeen) Result {
	c := workerVersion
	switch {
	case o.System == nil || o.System.Version == "":
		return c.say("not_known", "the version of %s is not known", o.Name)
	case olderThan(o.System.Version, "0.3.64"):
		return c.say("old", "%s runs ComfyUI %s%s", o.Name, o.System.Version, o.heard())
	}
	return c.say("known", "%s runs ComfyUI %s%s", o.Name, o.System.Version, o.heard())
}

// olderThan compares versions of numbers with dots; what is no number counts as newer.
func olderThan(v, than string) bool {
	a, b := strings.Split(strings.TrimPrefix(v, "v"), "."), strings.Split(than, ".")
	for i := range b {
		var x, y int
		if i < len(a) {
			if n, err := fmt.Sscanf(a[i], "%d", &x); n == 0 || err != nil {
				return false
			}
		}
		_, _ = fmt.Sscanf(b[i], "%d", &y)
		if x != y {
			return x < y
		}
	}
	return false
}

func judgeModels(o WorkerSeen) Result {
	c := workerModels
	switch {
	case o.NoNodes || o.stopped("no_nodes"):
		return c.say("empty", "%s lists no nodes", o.Name)
	case !o.NodesKnown:
		return c.say("not_known", "nobody asked %s for its nodes (%s)", o.Name, o.WhyNotAsked)
	case len(o.Classes) > 0:
		return c.say("classes", "%s lacks node classes that example prompts use: %s", o.Name, few(o.Classes))
	case len(o.Models) > 0:
		return c.say("models", "%s lacks models that example prompts name: %s", o.Name, few(o.Models))
	}
	return c.say("there", "%s has the nodes and models of %d example prompts", o.Name, o.Prompts)
}

func judgeWorkerClock(o WorkerSeen) Result {
	c := workerClock
	skew := o.Date.Sub(o.DateAt)
	switch {
	case o.Date.IsZero():
		return c.say("not_known", "no answer of %s told the time", o.Name)
	case skew.Abs() > maxSkew:
		return c.say("skewed", "%s is %s %s this machine", o.Name, skew.Abs().Round(time.Second), aheadOrBehind(skew))
	}
	return c.say("agrees", "the clocks of %s and of this machine agree", o.Name)
}

func judgeSaves(o WorkerSeen) Result {
	c := workerSaves
	var turns, nothing []string
	for _, l := range o.Report.Learned {
		if l.Plain || l.Outside {
			turns = append(turns, l.Class)
		} else {
			nothing = append(nothing, l.Class)
		}
	}
	switch {
	case !o.Known:
		return c.say("not_known", "no manager knows %s", o.Name)
	case len(turns) > 0:
		return c.say("turns", "on %s these node classes save outside the folders of their jobs, so that their jobs run one after the other: %s", o.Name, few(turns))
	case len(nothing) > 0:
		return c.say("nothing", "on %s these node classes were seen to save no file outside the folders of their jobs: %s", o.Name, few(nothing))
	}
	return c.say("good", "nothing was learned of node classes on %s", o.Name)
}

func judgeSilent(o WorkerSeen) Result {
	c := workerSilent
	switch text := api.SilentText(o.Report); {
	case !o.Known:
		return c.say("not_known", "no manager knows %s", o.Name)
	case text != "":
		return c.say("silent", "on %s %s", o.Name, text)
	}
	return c.say("none", "no attempt on %s is silent", o.Name)
}

// isLocalURL reports an address on this machine.
func isLocalURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

package job

import (
	"slices"
	"strings"
	"time"
)

// Warmth is what is known of a deployment's GPUs.
type Warmth string

// The states of a deployment. The zero value counts as WarmthUnknown.
const (
	WarmthUnknown Warmth = "unknown" // never asked, or too long ago to say
	WarmthCold    Warmth = "asleep"  // scaled to zero as far as we know
	Warming       Warmth = "warming" // a request waits for a machine
	WarmthWarm    Warmth = "warm"    // answered lately
	WarmthFailing Warmth = "failing" // answers errors, or none
)

// Deployment is one place that renders, as the fleet knows it.
type Deployment struct {
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	URL      string `json:"url"`
	Capacity int    `json:"capacity"`
	InFlight int    `json:"in_flight"`
	// NoSlot counts those in flight that occupy no slot, since they gave no sign for
	// longer than usual: others were sent beside them, or may be.
	NoSlot int `json:"no_slot,omitempty"`
	// Silent counts those in flight that gave no sign for clearly longer than
	// usual, Released those of them whose slots are used for other jobs.
	Silent       int     `json:"silent,omitempty"`
	Released     int     `json:"released,omitempty"`
	PricePerHour float64 `json:"price_per_hour"` // in the currency of the bill
	ScaleToZero  bool    `json:"scale_to_zero"`
	Active       bool    `json:"active"`
	// State with what it rests on and since when; At is when that evidence came.
	State    Warmth    `json:"state"`
	Because  string    `json:"because,omitempty"` // in words
	Evidence Evidence  `json:"evidence,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	At       time.Time `json:"at,omitzero"`
	Error    *Error    `json:"error,omitempty"`
	// Answered is when ComfyUI last answered there; zero for never.
	Answered time.Time `json:"answered_at,omitzero"`
	// Stopped is why nothing is sent there; nil while jobs are sent.
	Stopped *Stopped `json:"stopped,omitempty"`
	// Delivers is when a file from there was last seen on the share, as far as the
	// open jobs tell; zero for none.
	Delivers time.Time `json:"delivers_at,omitzero"`
	// NoNodes says that the last list of its nodes was empty.
	NoNodes bool `json:"no_nodes,omitempty"`
	// Cold and Warm are measured times: from POST to its answer after a cold
	// start, and from start to end of a run on a warm machine.
	Cold Timing `json:"cold"`
	Warm Timing `json:"warm"`
	// Usual is how long a cold start takes at this time of day with the models
	// that are waited for, if any are.
	Usual Range `json:"usual,omitzero"`
	// WaitingSince is since when a request waits for a machine; zero for none.
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	// Lost counts replicas that the platform took away under their jobs in the
	// last ten minutes; LostAt is the last of them.
	Lost   int       `json:"lost_replicas,omitempty"`
	LostAt time.Time `json:"lost_at,omitzero"`
	// Way is how prompts go there on a platform that may hold them: "async" when
	// it holds them and tells how they go, "plain" as to any ComfyUI, empty while
	// nobody knows and for a driver without a choice. WayWhy says it in words.
	Way    string `json:"way,omitempty"`
	WayWhy string `json:"way_because,omitempty"`
	// Single says that one server answers there, as far as every answer lately
	// shows: what it does not know of a prompt is gone.
	Single bool `json:"single,omitempty"`
	// Learned is what runs there showed of node classes that no table knows.
	Learned []Learned `json:"learned,omitempty"`
	// Held is the replica that is held there; nil for none.
	Held *Held `json:"held,omitempty"`
	// Today is what it cost so far today, as an estimate.
	Today    Spent     `json:"today,omitzero"`
	Rules    string    `json:"rules,omitempty"`  // what is done for it without being asked, for people
	System   *System   `json:"system,omitempty"` // nil until somebody asked while it was awake
	SystemAt time.Time `json:"system_at,omitzero"`
	// Nodes counts the node classes that its workers listed, NodesAt is when that
	// list was last read; zero when it never was.
	Nodes   int       `json:"nodes,omitempty"`
	NodesAt time.Time `json:"nodes_at,omitzero"`
}

// Stopped is why nothing is sent to a deployment although no job is at fault.
type Stopped struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint"`  // what heals it, and that it goes on by itself
	Since   time.Time `json:"since"` // of the first evidence
	At      time.Time `json:"at"`    // of the newest evidence
	Next    time.Time `json:"next"`  // when one job is sent there to try it
	// Trying says that one was sent there, and that it is not known yet what comes of it.
	Trying  bool `json:"trying,omitempty"`
	Waiting int  `json:"waiting"` // jobs that wait for it
}

// Error is the reason as an error of the deployment.
func (s Stopped) Error() *Error {
	return &Error{Code: s.Code, Class: Unavailable, Transient: true, Message: s.Message, Hint: s.Hint}
}

// CanaryUser is whose jobs doctor's canaries are. A canary is sent to a deployment
// to which nothing else is sent, and is not sent again.
const CanaryUser = "qmtui-canary"

// Learned is what a run showed of a node class. Plain says that it saves outside
// the attempt's own folder, with its inputs left as the user wrote them, so that
// its jobs run one after the other; otherwise it saves nothing there.
type Learned struct {
	Class string `json:"class"`
	Plain bool   `json:"plain"`
	// Outside says that it writes into the attempt's own folder and elsewhere as well.
	Outside bool      `json:"outside,omitempty"`
	At      time.Time `json:"at"`
	Job     ID        `json:"job"`
}

// Held is a replica that is kept through the platform's min_replica_count.
type Held struct {
	Was   int       `json:"was"` // min_replica_count before
	Since time.Time `json:"since"`
}

// Timing is a measured distribution, in seconds. The zero value is none.
type Timing struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	Last  float64 `json:"last"`
	// Recent holds the newest samples, oldest first, for a sparkline.
	Recent []float64 `json:"recent,omitempty"`
}

// Range is how long something usually takes, in seconds, with its spread. The
// zero value: nothing is known.
type Range struct {
	Count int `json:"count"` // samples it rests on
	// Of ten, one is shorter than Low, five than Mid and nine than High.
	Low  float64 `json:"low"`
	Mid  float64 `json:"mid"`
	High float64 `json:"high"`
	// Models and Hourly say that only samples with the same models, or of that
	// time of day, were taken; otherwise there were too few of them.
	Models bool `json:"models,omitempty"`
	Hourly bool `json:"hourly,omitempty"`
}

// System is what /system_stats said.
type System struct {
	Version string   `json:"version"`
	Python  string   `json:"python,omitempty"`
	Argv    []string `json:"argv,omitempty"`
	// OutputDirectory is the value of --output-directory; empty means that
	// results go to the container's own disk and vanish (field.md, case 3).
	OutputDirectory string   `json:"output_directory,omitempty"`
	Devices         []Device `json:"devices,omitempty"`
}

// OwnOutput reports a ComfyUI that writes into an output folder of its own
// choice. One whose command line is not known does not.
func (s *System) OwnOutput() bool {
	return s != nil && len(s.Argv) > 0 && s.OutputDirectory == "" && !slices.ContainsFunc(s.Argv, func(a string) bool {
		return a == "--base-directory" || strings.HasPrefix(a, "--base-directory=")
	})
}

// Device is one GPU of a worker, sizes in bytes.
type Device struct {
	Name      string `json:"name"`
	VRAMTotal int64  `json:"vram_total"`
	VRAMFree  int64  `json:"vram_free"`
}

// Sample is one measured time of a deployment, kept in the ledger.
type Sample struct {
	Deployment string    `json:"deployment"`
	Cold       bool      `json:"cold"` // a cold start; otherwise a warm run
	Seconds    float64   `json:"seconds"`
	At         time.Time `json:"at"`
	// Models are those of the prompt that waited; none for a warm-up and for
	// samples of older versions.
	Models []string `json:"models,omitempty"`
}

// Submission is one POST the fleet shall send, once.
type Submission struct {
	Job        ID
	Attempt    int
	PromptID   string
	Deployment string
	User       string
	Workflow   []byte // the prompt in API format, as submitted
	Extra      []byte // the scrubbed extra_data; nil for none
	// Inputs stand where the workers find them.
	Inputs []Input
	// Plain lists node classes whose inputs are sent as the user wrote them.
	Plain []string
	// Timeout bounds the wait for an answer, cold start included.
	Timeout time.Duration
}

// Flight is an attempt that may be running, for the fleet to ask about.
type Flight struct {
	Job        ID
	Attempt    int
	PromptID   string
	Deployment string
	State      State
	// Wrote is above zero, and grows with every file, while what is on the share
	// leaves open whether the run has ended, so that its history should be asked
	// for soon.
	Wrote int
	// Due is when half of such runs have ended; zero when unknown or not running.
	Due time.Time
}

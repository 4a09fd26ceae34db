package share

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/comfyume/qmtui/internal/job"
)

// Options says where the disks are and how to treat them.
type Options struct {
	// Outputs is the shared folder, Users the one with a folder for each user.
	// Both are absolute; neither is ever created.
	Outputs, Users string
	// Inputs is the workers' input folder as mounted here, UserInputs the one with
	// a folder of uploads for each user; both absolute, neither is ever created.
	// Unless both are set no input is carried to the workers.
	Inputs, UserInputs string
	// Subfolder is what the users' pages put before the path of an output;
	// "{user}" stands for the user's name. Empty for nothing.
	Subfolder string
	// Aside is the sub-folder of a user's folder for files of cancelled jobs.
	// Empty means "cancelled".
	Aside string
	// Poll is the longest time between two looks into a live folder. Zero means 1s.
	Poll time.Duration
	// Watch is "auto" (hints on file systems known to be local), "poll" (none)
	// or "notify" (hints anywhere). Empty means auto. Looking goes on in any case.
	Watch string
	// MaxFolders is how many folders are looked into at once. Zero means 16.
	MaxFolders int
	// Sweep is the time between two sweeps for files outside the watched
	// folders. Zero means no sweep.
	Sweep time.Duration
	// Sentinel is a file below Outputs that proves the mount. Empty for none.
	Sentinel string
	// RequireMount believes in the share only while Outputs is on another file
	// system than the root.
	RequireMount bool
	// Memory keeps over a restart which file system the share is, so that an
	// unmounted one is not taken for an empty one. Nil forgets it.
	Memory Memory
	// Reserve is the space in bytes that a copy must leave free. Zero for none.
	Reserve int64
	// FileMode and DirMode are of what is made for users. Zero means 0644 and 0755.
	FileMode, DirMode fs.FileMode
	// MetadataRoot looks at the whole share at the speed of Poll, for prompts
	// whose prefix was left alone: their files are known by metadata only.
	MetadataRoot bool
	// Stall is how long one call may hang before the share counts as stalled.
	// Zero means 10s.
	Stall time.Duration
	// Logger takes warnings. Nil means slog.Default().
	Logger *slog.Logger
	// Now is the clock of sightings. Nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	setIfZero(&o.Aside, "cancelled")
	setIfZero(&o.Poll, time.Second)
	setIfZero(&o.Watch, "auto")
	setIfZero(&o.MaxFolders, 16)
	setIfZero(&o.FileMode, 0o644)
	setIfZero(&o.DirMode, 0o755)
	setIfZero(&o.Stall, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func setIfZero[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

func (o Options) check() error {
	switch {
	case !filepath.IsAbs(o.Outputs):
		return fmt.Errorf("share: outputs %q is not an absolute path", o.Outputs)
	case !filepath.IsAbs(o.Users):
		return fmt.Errorf("share: users' folder %q is not an absolute path", o.Users)
	case o.Inputs != "" && !filepath.IsAbs(o.Inputs):
		return fmt.Errorf("share: inputs %q is not an absolute path", o.Inputs)
	case o.UserInputs != "" && !filepath.IsAbs(o.UserInputs):
		return fmt.Errorf("share: users' inputs %q is not an absolute path", o.UserInputs)
	case !filepath.IsLocal(o.Aside):
		return fmt.Errorf("share: %q is not a sub-folder", o.Aside)
	case o.Sentinel != "" && !filepath.IsLocal(o.Sentinel):
		return fmt.Errorf("share: sentinel %q is not below the share", o.Sentinel)
	case o.Watch != "auto" && o.Watch != "poll" && o.Watch != "notify":
		return fmt.Errorf("share: watch is %q, not auto, poll or notify", o.Watch)
	case o.Poll < 0 || o.Sweep < 0 || o.Stall < 0 || o.MaxFolders < 0 || o.Reserve < 0:
		return errors.New("share: times, counts and the reserve cannot be negative")
	}
	return nil
}

// Share is the shared folder and the users' folders. Its methods may be called
// from any goroutine; Run once.
type Share struct {
	opt  Options
	log  *slog.Logger
	wake chan struct{}
	step func(name string) error         // tests only: runs before each step; nil otherwise
	swap func(fd int, a, b string) error // exchanges two names; tests replace it

	mu     sync.Mutex
	want   map[string]job.Folder // guarded by mu, replaced as a whole
	named  map[string]bool       // guarded by mu, replaced as a whole: the paths in want
	nudged map[string]bool       // guarded by mu
	status job.ShareStatus       // guarded by mu
	was    identity              // guarded by mu: the file system that was last proved
	busy   map[string]int        // guarded by mu: errands that have not come back
	synced map[inode]bool        // guarded by mu: folders whose entry is known to be durable

	staging  singleflight.Group // by staged name
	stagedMu sync.Mutex         // held while a staged file is touched or removed

	homeMu   sync.Mutex // held while the memory is asked
	home     home       // guarded by homeMu: what is believed to be the share
	recalled bool       // guarded by homeMu: the memory was asked
}

// New checks the options. It touches no disk and starts nothing.
func New(o Options) (*Share, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Outputs, o.Users = filepath.Clean(o.Outputs), filepath.Clean(o.Users)
	return &Share{
		opt: o, log: o.Logger, swap: exchangeNames, wake: make(chan struct{}, 1),
		want: map[string]job.Folder{}, nudged: map[string]bool{},
		busy: map[string]int{}, synced: map[inode]bool{},
		status: job.ShareStatus{Path: o.Outputs, Watch: "poll"},
	}, nil
}

// at marks a step; tests hang or fail there.
func (s *Share) at(name string) error {
	if s.step == nil {
		return nil
	}
	return s.step(name)
}

// Status is how the share was when it was last looked at. It touches no disk.
func (s *Share) Status() job.ShareStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Share) setStatus(change func(*job.ShareStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

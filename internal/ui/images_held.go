package ui

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/job"
)

// Images are numbered from firstImage to lastImage: one for each preview that
// is held, at the end of what a colour of 256 can say, where other programs'
// numbers seldom are.
const (
	lastImage  = 255
	firstImage = lastImage - maxPreviews + 1
)

// unseenFor is how long a picture is not drawn before its placement goes. The
// screen is drawn once a second at least.
const unseenFor = 3 * time.Second

// Kitty is what one panel keeps in a terminal that knows kitty's graphics
// protocol. Safe for use by several goroutines. Make it with [NewKitty].
type Kitty struct {
	tmux bool
	now  func() time.Time
	mail chan struct{} // there is something to send

	mu      sync.Mutex
	held    map[job.OutputID]*placement
	out     []string // what the terminal is to get, in order
	started bool
}

// placement is an image in the terminal.
type placement struct {
	image int
	w, h  int       // cells; zero while it is not placed
	sent  bool      // the terminal has got what stands here
	seen  time.Time // when it was drawn last
}

// NewKitty makes the memory of a terminal; tmux says that sequences must pass
// through tmux.
func NewKitty(tmux bool) *Kitty {
	return &Kitty{tmux: tmux, now: time.Now, mail: make(chan struct{}, 1), held: map[job.OutputID]*placement{}}
}

// place sees to it that a picture is in the terminal, placed on w by h cells,
// and tells its number; zero when all are taken. It is ready when the terminal
// has got it.
func (k *Kitty) place(id job.OutputID, png []byte, w, h int) (image int, ready bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.held[id]
	switch {
	case x == nil:
		n := k.free()
		if n == 0 {
			return 0, false
		}
		x = &placement{image: n}
		k.held[id] = x
		k.post(transmission(n, w, h, png)...)
	case x.w != w || x.h != h:
		k.unplace(x)
		k.post(placing(x.image, w, h))
	}
	x.w, x.h, x.seen = w, h, k.now()
	return x.image, x.sent
}

// free is the least number that no image has; zero for none.
func (k *Kitty) free() int {
	var taken [lastImage + 1]bool
	for _, x := range k.held {
		taken[x.image] = true
	}
	for n := firstImage; n <= lastImage; n++ {
		if !taken[n] {
			return n
		}
	}
	return 0
}

func (k *Kitty) unplace(x *placement) {
	if x.w > 0 {
		k.post(unplacing(x.image))
	}
	x.w, x.h, x.sent = 0, 0, false
}

// forget frees a picture and its number.
func (k *Kitty) forget(id job.OutputID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if x := k.held[id]; x != nil {
		delete(k.held, id)
		k.post(freeing(x.image))
	}
}

// post puts sequences in the line; k.mu is held.
func (k *Kitty) post(seqs ...string) {
	for _, s := range seqs {
		if k.tmux {
			s = throughTmux(s)
		}
		k.out = append(k.out, s)
	}
	select {
	case k.mail <- struct{}{}:
	default:
	}
}

// take is what the terminal is to get now; empty for nothing. The pictures
// that nobody has seen for a while lose their placements.
func (k *Kitty) take() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, x := range k.held {
		if x.w > 0 && k.now().Sub(x.seen) >= unseenFor {
			k.unplace(x)
		}
	}
	s := strings.Join(k.out, "")
	k.out = nil
	for _, x := range k.held {
		x.sent = x.w > 0
	}
	return s
}

// start is the command that sends until ctx ends; nil after the first time.
func (k *Kitty) start(ctx context.Context) tea.Cmd {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.started {
		return nil
	}
	k.started = true
	return k.send(ctx)
}

// send waits for something to send, sends it past the renderer, and goes on. A
// sequence in a sequence keeps the order; it costs a frame of stack each time.
func (k *Kitty) send(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		look := time.NewTicker(unseenFor)
		defer look.Stop()
		for {
			if s := k.take(); s != "" {
				return tea.Sequence(tea.Raw(s), k.send(ctx))()
			}
			select {
			case <-ctx.Done():
				return nil
			case <-k.mail:
			case <-look.C:
			}
		}
	}
}

// Clear is what makes the terminal forget every picture, to be written after
// [Run]; empty when it has none. A terminal keeps the images of its alternate
// screen apart, so that screen is entered once more, unseen.
func (k *Kitty) Clear() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.held) == 0 {
		return ""
	}
	k.out = nil
	for _, n := range k.numbers() {
		k.post(freeing(n))
	}
	s := strings.Join(k.out, "")
	k.held, k.out = map[job.OutputID]*placement{}, nil
	if k.tmux {
		return s
	}
	return "\x1b[?2026h\x1b[?1049h" + s + "\x1b[?1049l\x1b[?2026l"
}

func (k *Kitty) numbers() []int {
	var out []int
	for _, x := range k.held {
		out = append(out, x.image)
	}
	slices.Sort(out)
	return out
}

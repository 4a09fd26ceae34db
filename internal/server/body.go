package server

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/limit"
)

// freeBody is how many bytes of a body are read without a place among the
// large ones: a body of that size never waits for others.
const freeBody = 64 << 10

// pace is how fast a body must arrive.
var pace = limit.Pace{Least: 16 << 10, Window: 10 * time.Second, Grace: bodyTimeout}

// body is the body of a request as it arrives. Beyond freeBody it waits for a
// place among the large ones. One that arrives too slowly fails: after the
// grace, or as soon as somebody else waits for its place. One goroutine reads it.
type body struct {
	r   *request
	src io.Reader
	err error // that ended it; nil for none, or for its own end

	arriving func() // gives the place among the arriving ones back

	prompt func() // gives the place among the large prompts back; nil without

	mu    sync.Mutex
	got   int64
	place func()    // gives the place among the large ones back; nil without
	since time.Time // when its time began
	meter limit.Meter
	timer *time.Timer // nil while nothing is asked of the peer
	slow  bool        // it was cut off
}

// receive begins to read the body of the request. It holds its place until the
// call ends, or closeBody before: what is made of a large body is as costly as
// the body.
func (r *request) receive() (*body, error) {
	if r.body != nil {
		return r.body, nil
	}
	arriving, err := r.enterArriving()
	if err != nil {
		return nil, err
	}
	b := &body{r: r, src: r.Body, arriving: arriving}
	b.setDeadline(time.Time{}) // that of front; the watch is stricter
	b.watch()
	r.body = b
	return b, nil
}

// closeBody gives the places of the body back, if there is one.
func (r *request) closeBody() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

func (b *body) setDeadline(at time.Time) {
	_ = http.NewResponseController(b.r.w).SetReadDeadline(at) // a recorder has none
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.place == nil {
		if b.got == freeBody {
			if b.err = b.waitForPlace(); b.err != nil {
				return 0, b.err
			}
		} else {
			p = p[:min(int64(len(p)), freeBody-b.got)]
		}
	}
	n, err := b.src.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got += int64(n)
	if b.slow && err != nil && err != io.EOF {
		err = tooSlow()
	}
	if b.err = err; err != nil {
		b.stop()
	}
	return n, err
}

// waitForPlace waits while nothing is asked of the peer.
func (b *body) waitForPlace() error {
	if b.got == b.r.ContentLength {
		return nil // that was all
	}
	b.rest()
	place, err := b.r.srv.budgets.bodies.Enter(b.r.Context(), b.r.charged())
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.place = place
	b.mu.Unlock()
	b.watch()
	return nil
}

// watch begins to judge the pace, second by second.
func (b *body) watch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since, b.meter = time.Now(), limit.Meter{}
	began := b.got
	b.timer = time.AfterFunc(time.Second, func() { b.judge(began) })
}

// rest ends that, until watch.
func (b *body) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop()
}

// stop is rest for those who have the lock.
func (b *body) stop() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// judge cuts off a body that arrives too slowly; began is how much had arrived
// when its time began.
func (b *body) judge(began int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil {
		return
	}
	should, must := pace.TooSlow(time.Since(b.since), b.meter.Tick(b.got-began, pace.Window))
	if must || should && b.place != nil && b.r.srv.budgets.bodies.Yield(b.r.charged()) {
		b.slow = true
		b.setDeadline(time.Unix(1, 0))
		return
	}
	b.timer.Reset(time.Second)
}

// Close gives the places back. What is left of the body, which net/http reads
// away, gets a short time; after one that is whole, nothing ends a handler that
// waits long.
func (b *body) Close() error {
	b.rest()
	if b.err != io.EOF && !b.slow {
		b.setDeadline(time.Now().Add(pace.Window))
	}
	if b.place != nil {
		b.place()
	}
	if b.prompt != nil {
		b.prompt()
	}
	b.arriving()
	return nil
}

// largePrompt is from how many bytes on prompts of one user are read and
// recorded one after the other: one of 20 MB takes a second of a processor and
// several times its size of memory.
const largePrompt = 1 << 20

// asPrompt waits until the body, of which all has arrived, may be read as a
// prompt, and has its place until the call ends.
func (r *request) asPrompt(size int) (err error) {
	if size > largePrompt && r.body != nil && r.body.prompt == nil {
		r.body.prompt, err = r.srv.budgets.prompts.Enter(r.Context(), r.charged())
	}
	return err
}

// readAll reads the body, at most limit bytes. Of a longer one more is thrown
// away, so that the answer arrives.
func (b *body) readAll(what string, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(b, limit+1))
	switch {
	case int64(len(raw)) > limit:
		_, _ = io.CopyN(io.Discard, b, politeness)
		return nil, tooLarge(what, limit)
	case err != nil:
		return nil, brokenBody(what, err)
	}
	return raw, nil
}

// readBody receives the body, at most limit bytes.
func (r *request) readBody(what string, limit int64) ([]byte, error) {
	b, err := r.receive()
	if err != nil {
		return nil, err
	}
	defer b.rest()
	return b.readAll(what, limit)
}

package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// at makes a signal so many seconds after noon.
func at(seconds int, kind signalKind, took ...time.Duration) signal {
	s := signal{kind: kind, at: noon.Add(time.Duration(seconds) * time.Second), what: "POST /prompt"}
	for _, t := range took {
		s.took = t
	}
	if kind == failed || kind == denied || kind == silent {
		s.err = &job.Error{Code: "request_failed", Message: "it broke"}
	}
	return s
}

func TestWarmth(t *testing.T) {
	sleeper := rulesFor(Spec{ScaleToZero: true}.withDefaults())
	always := rulesFor(Spec{}.withDefaults())
	for _, c := range []struct {
		name    string
		rules   rules
		signals []signal
		now     int
		want    job.Warmth
		since   int // seconds after noon; -1 for the zero time
		because string
	}{
		{"never asked", sleeper, nil, 0, job.WarmthUnknown, -1, "never asked"},
		{"just asked", sleeper, []signal{at(0, asked)}, 4, job.WarmthUnknown, 0, "not answered yet"},
		{"a request waits", sleeper, []signal{at(0, asked)}, 100, job.Warming, 0, "waits for its answer"},
		{"of two waits the older counts", sleeper, []signal{at(0, asked), at(50, asked)}, 100, job.Warming, 0, ""},
		{"an answer", sleeper, []signal{at(0, asked), at(100, answered)}, 110, job.WarmthWarm, 100, "answered POST /prompt"},
		{"warm since the first of many", sleeper, []signal{at(0, asked), at(1, answered), at(200, asked), at(201, answered)}, 400, job.WarmthWarm, 1, ""},
		{"warm again after a gap", sleeper, []signal{at(0, asked), at(1, answered), at(900, asked), at(901, answered)}, 910, job.WarmthWarm, 901, ""},
		{"idle to the last second", sleeper, []signal{at(0, asked), at(0, answered)}, 299, job.WarmthWarm, 0, ""},
		{"scaled down", sleeper, []signal{at(0, asked), at(0, answered)}, 300, job.WarmthCold, 300, "probably scaled to zero"},
		{"idle, but never scales down", always, []signal{at(0, asked), at(0, answered)}, 301, job.WarmthUnknown, 300, "nobody asked for 5m"},
		{"others are answered while one waits", sleeper, []signal{at(0, asked), at(10, asked), at(11, answered)}, 60, job.WarmthWarm, 11, ""},
		{"woken after sleep", sleeper, []signal{at(0, asked), at(0, answered), at(1000, asked)}, 1100, job.Warming, 1000, ""},
		{"two errors are not enough", sleeper, []signal{at(0, failed), at(5, failed)}, 6, job.WarmthUnknown, 5, ""},
		{"three errors", sleeper, []signal{at(0, failed), at(5, failed), at(9, failed)}, 20, job.WarmthFailing, 0, "it broke"},
		{"an answer between", sleeper, []signal{at(0, failed), at(5, failed), at(6, answered), at(9, failed)}, 20, job.WarmthWarm, 6, ""},
		{"an answer heals", sleeper, []signal{at(0, failed), at(1, failed), at(2, failed), at(9, answered)}, 20, job.WarmthWarm, 9, ""},
		{"denied at once", sleeper, []signal{at(0, asked), at(1, denied)}, 2, job.WarmthFailing, 1, "it broke"},
		{"failing long ago", sleeper, []signal{at(0, denied)}, 300, job.WarmthUnknown, 300, "when it was last asked"},
		{"short silences while a machine starts", sleeper, []signal{
			at(0, asked), at(30, silent, 30*time.Second), at(32, asked), at(62, silent, 30*time.Second), at(64, asked), at(94, silent, 30*time.Second),
		}, 96, job.Warming, 0, ""},
		{"short silences of one that never sleeps", always, []signal{
			at(0, asked), at(30, silent, 30*time.Second), at(32, asked), at(62, silent, 30*time.Second), at(64, asked), at(94, silent, 30*time.Second),
		}, 96, job.WarmthFailing, 30, ""},
		{"long silences", sleeper, []signal{at(900, silent, 15*time.Minute), at(1800, silent, 15*time.Minute), at(2700, silent, 15*time.Minute)}, 2701, job.WarmthFailing, 900, ""},
		{"silence, and nobody tried again", sleeper, []signal{at(0, asked), at(30, silent, 30*time.Second)}, 120, job.WarmthUnknown, 30, "not answered yet"},
		{"taken back", sleeper, []signal{at(0, asked), at(30, dropped)}, 60, job.WarmthUnknown, 0, ""},
		{"one taken back, one waits", sleeper, []signal{at(0, asked), at(10, asked), at(30, dropped)}, 60, job.Warming, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h health
			for _, s := range c.signals {
				h = h.after(s, c.rules)
			}
			got := h.read(noon.Add(time.Duration(c.now)*time.Second), c.rules)
			if got.state != c.want || !strings.Contains(got.because, c.because) || got.because == "" {
				t.Errorf("%s (%s), want %s (%s)", got.state, got.because, c.want, c.because)
			}
			want := time.Time{}
			if c.since >= 0 {
				want = noon.Add(time.Duration(c.since) * time.Second)
			}
			if !got.since.Equal(want) {
				t.Errorf("since %s, want %s", got.since, want)
			}
			if broke := strings.Contains(got.because, "it broke"); (got.err != nil) != broke {
				t.Errorf("error = %v while %s", got.err, got.state)
			}
		})
	}
}

func TestIsCold(t *testing.T) {
	for _, c := range []struct {
		before job.Warmth
		took   time.Duration
		want   bool
	}{
		{job.WarmthWarm, 4 * time.Second, false},
		{job.WarmthWarm, 5 * time.Second, true},
		{job.WarmthUnknown, time.Second, false},
		{job.WarmthCold, time.Second, true},
		{job.WarmthCold, 300 * time.Millisecond, false}, // it was not asleep after all
	} {
		if got := isCold(c.before, c.took, 5*time.Second); got != c.want {
			t.Errorf("isCold(%s, %s) = %v", c.before, c.took, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", 90 * time.Second: "90s", time.Hour: "1h", 90 * time.Minute: "1h30m", 1500 * time.Millisecond: "2s", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %s, want %s", d, got, want)
		}
	}
}

package ui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// estimate is how far a job is, or when it will begin, as far as something is
// known of that. What is reckoned from times of other jobs has a "~"; numbers
// of files were counted. The zero value is that nothing is known.
type estimate struct {
	part float64 // of 1; without a bar it is negative
	text string
	late bool // longer than nine of ten took
}

// leastRuns is how many runs must have been measured before anything is
// reckoned from them.
const leastRuns = 3

// estimateOf reckons for a job on a deployment; d is nil where it is not known.
func estimateOf(j *api.Job, d *api.Worker, now time.Time) estimate {
	switch {
	case j.State == job.Queued && j.Wait != nil && *j.Wait >= 1:
		return estimate{part: -1, text: "in ~" + age(time.Duration(math.Ceil(*j.Wait))*time.Second)}
	case j.State == job.Rendered:
		if stored, all := saved(j); all > 0 {
			return counted(stored, all)
		}
		return estimate{}
	case j.State != job.Running:
		return estimate{}
	}
	if n, all := arrived(j), len(j.Expected); n > 0 && all > 1 {
		return counted(n, all)
	}
	if d == nil || d.Warm.Count < leastRuns || d.Warm.P50 <= 0 || j.Started.IsZero() {
		return estimate{}
	}
	return reckoned(now.Sub(j.Started.Time).Seconds(), d.Warm)
}

func counted(n, all int) estimate {
	return estimate{part: float64(n) / float64(all), text: fmt.Sprintf("%d/%d", n, all)}
}

// reckoned compares a time with what half and nine of ten runs took. It never
// says that a job is through: only its files do.
func reckoned(took float64, t job.Timing) estimate {
	const most = 0.95
	switch part := took / t.P50; {
	case took > t.P90:
		return estimate{part: most, text: "late", late: true}
	case part > most:
		return estimate{part: most, text: "~95%"}
	default:
		return estimate{part: max(0, part), text: fmt.Sprintf("~%.0f%%", 100*max(0, part))}
	}
}

// saved counts the files of the current attempt: those delivered, and all that
// are expected or there and not given up.
func saved(j *api.Job) (stored, all int) {
	expected := 0
	for _, x := range j.Expected {
		expected += x.Count
	}
	for _, o := range j.Outputs {
		if o.Attempt != len(j.Attempts) || givenUp(o) {
			continue
		}
		if all++; o.State == job.OutputStored {
			stored++
		}
	}
	return stored, max(all, expected)
}

// givenUp reports a file that is not delivered any more.
func givenUp(o api.Output) bool {
	return o.State == job.OutputAbandoned || o.State == job.OutputVanished
}

// arrived counts the expected nodes of which a file has been seen in the
// current attempt.
func arrived(j *api.Job) (n int) {
	for _, x := range j.Expected {
		for _, o := range j.Outputs {
			if o.Node == x.Node && o.Attempt == len(j.Attempts) {
				n++
				break
			}
		}
	}
	return n
}

// barCells is how wide the bar of an estimate is.
const barCells = 5

func (e estimate) cell(st *Styles) cell {
	if e.part < 0 || e.text == "" {
		return cell{e.text, st.Quiet}
	}
	k := st.Busy
	if e.late {
		k = st.Warn
	}
	full := int(e.part*barCells + 0.5)
	return cell{strings.Repeat(st.glyphs.bar, full) + strings.Repeat(st.glyphs.barEmpty, barCells-full) + " " + e.text, k}
}

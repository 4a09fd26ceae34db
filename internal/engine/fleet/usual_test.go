package fleet

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func coldAt(hour int, seconds float64) job.Sample {
	return job.Sample{Cold: true, Seconds: seconds, At: time.Date(2026, 11, 20, hour, 30, 0, 0, time.UTC)}
}

func TestLearn(t *testing.T) {
	morning := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	wan := []string{"wan.safetensors"}
	var samples []job.Sample
	for i := range 10 {
		samples = append(samples, coldAt(10, float64(100+10*i)), coldAt(18, 600), job.Sample{Seconds: 5, At: morning})
	}
	for range 5 {
		x := coldAt(18, 900)
		x.Models = wan
		samples = append(samples, x)
	}
	for name, c := range map[string]struct {
		models []string
		at     time.Time
		want   job.Range
	}{
		"these models at this hour":         {nil, morning, job.Range{Count: 10, Low: 100, Mid: 140, High: 180, Models: true, Hourly: true}},
		"in another zone":                   {nil, morning.In(time.FixedZone("", 8*3600)), job.Range{Count: 10, Low: 100, Mid: 140, High: 180, Models: true, Hourly: true}},
		"these models, no sample this hour": {nil, morning.Add(4 * time.Hour), job.Range{Count: 20, Low: 110, Mid: 190, High: 600, Models: true}},
		"other models in the evening":       {wan, morning.Add(8 * time.Hour), job.Range{Count: 5, Low: 900, Mid: 900, High: 900, Models: true, Hourly: true}},
		"other models in the morning":       {wan, morning, job.Range{Count: 5, Low: 900, Mid: 900, High: 900, Models: true}},
		"unknown models, a known hour":      {[]string{"x.ckpt"}, morning, job.Range{Count: 10, Low: 100, Mid: 140, High: 180, Hourly: true}},
		"unknown models at an unknown hour": {[]string{"x.ckpt"}, morning.Add(4 * time.Hour), job.Range{Count: 25, Low: 120, Mid: 600, High: 900}},
	} {
		if got := Learn(samples, c.models, c.at); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got := Learn(nil, nil, morning); got != (job.Range{}) {
		t.Errorf("from nothing %+v", got)
	}
}

func TestTimesOfDayWrap(t *testing.T) {
	var samples []job.Sample
	for range enough {
		samples = append(samples, coldAt(23, 50), coldAt(12, 500))
	}
	if got := Learn(samples, nil, time.Date(2026, 11, 23, 0, 15, 0, 0, time.UTC)); !got.Hourly || got.Mid != 50 {
		t.Errorf("just after midnight %+v", got)
	}
}

func TestUnusual(t *testing.T) {
	known := job.Range{Count: 20, Low: 100, Mid: 120, High: 200}
	quick := job.Range{Count: 20, High: 10}
	for _, c := range []struct {
		cold time.Duration
		r    job.Range
		want bool
	}{
		{200 * time.Second, known, false}, {300 * time.Second, known, false}, {301 * time.Second, known, true},
		{40 * time.Second, quick, false}, {41 * time.Second, quick, true},
		{14 * time.Minute, job.Range{}, false}, {16 * time.Minute, job.Range{}, true},
		{14 * time.Minute, job.Range{Count: 4, High: 1}, false},
	} {
		if got := Unusual(c.cold, c.r); got != c.want {
			t.Errorf("%v of %+v: %v", c.cold, c.r, got)
		}
	}
}

func TestUsuallyInWords(t *testing.T) {
	for want, r := range map[string]job.Range{
		"no cold start was measured yet": {},
		"usually about 2m":               {Count: 1, Low: 120, Mid: 120, High: 120},
		"usually about 2m, from 1m to 5m with these models at this time of day": {Count: 9, Low: 60, Mid: 120, High: 300, Models: true, Hourly: true},
		"usually about 2m, from 1m to 5m at this time of day":                   {Count: 9, Low: 60, Mid: 120, High: 300, Hourly: true},
		"usually about 2m, from 1m to 5m with these models":                     {Count: 9, Low: 60, Mid: 120, High: 300, Models: true},
	} {
		if got := usually(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestModelSetsAreLearnedApart sends prompts of two sizes through cold starts.
func TestModelSetsAreLearnedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes, f := newNotebook(), &fake{}
		fl := open(t, f, spec(), func(o *Options) { o.Memory = notes })
		for n := range 2 * enough {
			s := submission(n + 1)
			model, boot := "small.safetensors", time.Minute
			if n%2 == 1 {
				model, boot = "large.safetensors", 10*time.Minute
			}
			s.Workflow = fmt.Appendf(nil, `{"1":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":%q}},
				"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}}`, model)
			f.mu.Lock()
			f.boot, f.warm = boot, false // asleep again
			f.mu.Unlock()
			<-submitting(t, fl, s)
			elapse(t, time.Hour)
		}
		small, large := fl.ColdStart("h200", []string{"small.safetensors"}, time.Now()), fl.ColdStart("h200", []string{"large.safetensors"}, time.Now())
		if !small.Models || !large.Models || small.High > 120 || large.Low < 590 {
			t.Errorf("small %+v, large %+v", small, large)
		}
		again := open(t, &fake{}, spec(), func(o *Options) { o.Memory = notes }) // after a restart
		_, stop := start(t, again)
		elapse(t, time.Second)
		if got := again.ColdStart("h200", []string{"large.safetensors"}, time.Now()); got != large {
			t.Errorf("recalled %+v, want %+v", got, large)
		}
		stop()
	})
}

func TestAColdStartBeyondTheUsualWarns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := newNotebook()
		for range 5 {
			notes.samples = append(notes.samples, job.Sample{Deployment: "h200", Cold: true, Seconds: 60, At: time.Now()})
		}
		fl := open(t, &fake{boot: 10 * time.Minute}, spec(), func(o *Options) { o.Memory = notes })
		_, stop := start(t, fl)
		defer stop()
		fact := submitting(t, fl, submission(1))
		elapse(t, time.Minute)
		if d := fl.Deployments()[0]; d.State != job.Warming || d.Error != nil || !strings.Contains(d.Because, "usually about 1m") {
			t.Errorf("within the usual: %s (%s) %v", d.State, d.Because, d.Error)
		}
		elapse(t, time.Minute)
		if d := fl.Deployments()[0]; d.State != job.Warming || codeOf(d.Error) != "cold_start_long" {
			t.Errorf("beyond the usual: %s (%s) %v", d.State, d.Because, d.Error)
		}
		<-fact
		if d := fl.Deployments()[0]; d.Error != nil {
			t.Errorf("afterwards: %v", d.Error)
		}
		if u := fl.ColdStart("h200", nil, time.Now()); u.Count != 6 || u.High != 600 {
			t.Errorf("learned %+v", u)
		}
	})
}

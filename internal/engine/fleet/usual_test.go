package fleet

import (
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
	var samples []job.Sample
	for i := range 10 {
		samples = append(samples, coldAt(10, float64(100+10*i)), coldAt(18, 600), job.Sample{Seconds: 5, At: morning})
	}
	got := Learn(samples, morning)
	if !got.Hourly || got.Count != 10 || got.Low != 100*time.Second || got.Mid != 140*time.Second || got.High != 180*time.Second {
		t.Errorf("in the morning %+v", got)
	}
	if got := Learn(samples, morning.Add(4*time.Hour)); got.Hourly || got.Count != 20 || got.High != 600*time.Second {
		t.Errorf("at an hour without samples %+v", got)
	}
	if got := Learn(samples, morning.In(time.FixedZone("", 8*3600))); !got.Hourly || got.Mid != 140*time.Second {
		t.Errorf("in another zone %+v", got)
	}
	if got := Learn(nil, morning); got != (Distribution{}) {
		t.Errorf("from nothing %+v", got)
	}
}

func TestTimesOfDayWrap(t *testing.T) {
	var samples []job.Sample
	for range hourNeeds {
		samples = append(samples, coldAt(23, 50), coldAt(12, 500))
	}
	if got := Learn(samples, time.Date(2026, 11, 23, 0, 15, 0, 0, time.UTC)); !got.Hourly || got.Mid != 50*time.Second {
		t.Errorf("just after midnight %+v", got)
	}
}

func TestUnusual(t *testing.T) {
	known := Distribution{Count: 20, Low: 100 * time.Second, Mid: 120 * time.Second, High: 200 * time.Second}
	quick := Distribution{Count: 20, High: 10 * time.Second}
	for _, c := range []struct {
		cold time.Duration
		d    Distribution
		want bool
	}{
		{200 * time.Second, known, false}, {300 * time.Second, known, false}, {301 * time.Second, known, true},
		{40 * time.Second, quick, false}, {41 * time.Second, quick, true},
		{14 * time.Minute, Distribution{}, false}, {16 * time.Minute, Distribution{}, true},
		{14 * time.Minute, Distribution{Count: 4, High: time.Second}, false},
	} {
		if got := Unusual(c.cold, c.d); got != c.want {
			t.Errorf("%v of %+v: %v", c.cold, c.d, got)
		}
	}
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
		if u, err := fl.Usual("h200", time.Now()); err != nil || u.Count != 6 || u.High != 10*time.Minute {
			t.Errorf("learned %+v, %v", u, err)
		}
	})
}

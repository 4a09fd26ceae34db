package fleet

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

var midday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func minutes(n float64) time.Time { return midday.Add(time.Duration(n * float64(time.Minute))) }

// seen is a look at that minute that lists replicas by their ids.
func seen(minute float64, status string, ids ...string) look {
	l := look{began: minutes(minute), at: minutes(minute).Add(time.Second), status: status}
	for _, id := range ids {
		l.replicas = append(l.replicas, Replica{ID: id, Status: "running"})
	}
	return l
}

func TestVanishedRule(t *testing.T) {
	for name, c := range map[string]struct {
		looks []look
		at    float64 // minutes after the prompt was accepted
		want  bool
	}{
		"still there":                       {[]look{seen(1, "healthy", "a"), seen(5, "healthy", "a")}, 5, false},
		"the only one vanished":             {[]look{seen(1, "healthy", "a"), seen(2, "healthy"), seen(4, "healthy")}, 4, true},
		"replaced by another":               {[]look{seen(1, "healthy", "a"), seen(2, "healthy", "b"), seen(4, "healthy", "b")}, 4, true},
		"two could have it, one vanished":   {[]look{seen(1, "healthy", "a", "b"), seen(2, "healthy", "b"), seen(9, "healthy", "b")}, 9, false},
		"two could have it, both vanished":  {[]look{seen(1, "healthy", "a", "b"), seen(2, "healthy", "c"), seen(9, "healthy", "c")}, 9, true},
		"none listed since it was accepted": {[]look{seen(1, "healthy"), seen(3, "healthy")}, 3, true},
		"one look is not enough":            {[]look{seen(1, "healthy", "a"), seen(2, "healthy")}, 60, false},
		"too soon for the files":            {[]look{seen(1, "healthy", "a"), seen(2, "healthy"), seen(3, "healthy")}, 3, false},
		"a list that flickered":             {[]look{seen(1, "healthy", "a"), seen(2, "healthy"), seen(3, "healthy", "a"), seen(4, "healthy")}, 4, false},
		"looks from before it was accepted": {[]look{seen(-2, "healthy"), seen(-1, "healthy"), seen(0, "healthy")}, 60, false},
		"no look at all":                    {nil, 60, false},
		"newer ones hide nothing":           {[]look{seen(1, "healthy", "a"), seen(2, "healthy", "a", "b"), seen(3, "healthy", "b"), seen(9, "healthy", "b")}, 9, true},
	} {
		h := hosting{accepted: midday}
		for _, l := range c.looks {
			h = h.after(l)
		}
		if got := h.vanished(minutes(c.at).Add(time.Second)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAgree(t *testing.T) {
	failing := &job.Error{Code: "endpoint_or_key"}
	for name, c := range map[string]struct {
		wire  reading
		look  look
		stage Stage
		at    float64
		want  job.Warmth
	}{
		"no control API":                      {wire: reading{state: job.WarmthUnknown}, want: job.WarmthUnknown},
		"the platform knows more":             {wire: reading{state: job.WarmthUnknown}, look: seen(0, "healthy", "a"), want: job.WarmthWarm},
		"scaled down behind our back":         {wire: reading{state: job.WarmthWarm, at: minutes(-1)}, look: seen(0, "healthy"), want: job.WarmthCold},
		"an answer after the look":            {wire: reading{state: job.WarmthWarm, at: minutes(1)}, look: seen(0, "healthy"), at: 1, want: job.WarmthWarm},
		"an old look":                         {wire: reading{state: job.WarmthCold}, look: seen(0, "healthy", "a"), at: 10, want: job.WarmthCold},
		"a wrong key":                         {wire: reading{state: job.WarmthFailing, err: failing}, look: seen(0, "healthy", "a"), want: job.WarmthFailing},
		"a machine is starting":               {wire: reading{state: job.Warming}, look: seen(0, "healthy"), want: job.Warming},
		"it never will: the quota is reached": {wire: reading{state: job.Warming}, look: seen(0, "quota_reached"), want: job.WarmthFailing},
		"in the platform's queue":             {wire: reading{state: job.Warming}, look: seen(0, "healthy"), stage: StageQueue, want: job.Warming},
		"an unknown word with a replica":      {wire: reading{}, look: seen(0, "humming", "a"), want: job.WarmthWarm},
		"degraded but there":                  {wire: reading{}, look: seen(0, "degraded", "a"), want: job.WarmthWarm},
	} {
		got := agree(c.wire, c.look, c.stage, minutes(c.at).Add(2*time.Second), 2*time.Minute)
		if got.state != c.want || got.state == job.WarmthFailing && got.err == nil {
			t.Errorf("%s: %s (%s)", name, got.state, got.because)
		}
	}
}

func TestReplicasOnTheirWay(t *testing.T) {
	l := seen(0, "healthy", "a", "b")
	l.replicas[0].Status, l.replicas[1].Status = "pending", "image_pulling"
	if r := l.reading(); r.state != job.Warming || r.because != `the platform says "healthy" with 0 of 2 replicas up` {
		t.Errorf("%+v", r)
	}
}

func TestRefusesAsync(t *testing.T) {
	for _, c := range []struct {
		e    comfy.SubmitError
		want bool
	}{
		{comfy.SubmitError{Status: 400, Message: "the endpoint answered 400 (Prefer: respond-async is not available)"}, true},
		{comfy.SubmitError{Status: 422, Message: "asynchronous requests are off"}, true},
		{comfy.SubmitError{Status: 501}, true}, {comfy.SubmitError{Status: 406}, true}, {comfy.SubmitError{Status: 417}, true},
		{comfy.SubmitError{Status: 400, Message: "no"}, false},
		{comfy.SubmitError{Status: 400, Message: "async node failed", Err: comfy.ComfyError{Type: "invalid_prompt"}}, false},
		{comfy.SubmitError{Status: 404, Message: "async"}, false}, {comfy.SubmitError{Status: 502, Message: "async"}, false},
		{comfy.SubmitError{Message: "async"}, false},
	} {
		if got := refusesAsync(&c.e); got != c.want {
			t.Errorf("%d %q: %v", c.e.Status, c.e.Message, got)
		}
	}
}

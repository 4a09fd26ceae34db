package upkeep_test

import (
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
)

// at is so many seconds after midnight.
func at(seconds int) time.Time {
	return time.Unix(0, 0).UTC().Add(time.Duration(seconds) * time.Second)
}

func sign(code string, sent, ended int) upkeep.Sign {
	return upkeep.Sign{Code: code, Message: code, Sent: at(sent), At: at(ended)}
}

func TestStopAfter(t *testing.T) {
	const refuses, none, own, other = upkeep.EndpointRefuses, upkeep.NoNodes, upkeep.NoOutputDirectory, upkeep.OtherVolume
	stopped := func(code string, since, at_, tried int) *upkeep.Stop {
		return &upkeep.Stop{Code: code, Message: code, Since: at(since), At: at(at_), Tried: tried}
	}
	signs := func(all ...upkeep.Sign) []upkeep.Sign { return all }
	for name, c := range map[string]struct {
		was  *upkeep.Stop
		seen upkeep.Seen
		want *upkeep.Stop
	}{
		"nothing is known":                                 {nil, upkeep.Seen{}, nil},
		"one prompt was refused":                           {nil, upkeep.Seen{Signs: signs(sign(refuses, 1, 2))}, stopped(refuses, 2, 2, 0)},
		"several were refused":                             {nil, upkeep.Seen{Signs: signs(sign(refuses, 1, 3), sign(refuses, 1, 2))}, stopped(refuses, 2, 3, 0)},
		"one was accepted since":                           {nil, upkeep.Seen{Signs: signs(sign(refuses, 1, 2)), Accepted: at(3)}, nil},
		"one was accepted before":                          {nil, upkeep.Seen{Signs: signs(sign(refuses, 1, 2)), Accepted: at(1)}, stopped(refuses, 2, 2, 0)},
		"a file does not heal a wrong key":                 {stopped(refuses, 2, 2, 0), upkeep.Seen{Came: at(3)}, stopped(refuses, 2, 2, 0)},
		"an answer to a question does not, either":         {stopped(refuses, 2, 2, 0), upkeep.Seen{Answered: at(3)}, stopped(refuses, 2, 2, 0)},
		"an accepted prompt does":                          {stopped(refuses, 2, 2, 3), upkeep.Seen{Accepted: at(3)}, nil},
		"an accepted prompt that is older does not":        {stopped(refuses, 2, 2, 3), upkeep.Seen{Accepted: at(2)}, stopped(refuses, 2, 2, 3)},
		"a try was refused":                                {stopped(refuses, 2, 4, 1), upkeep.Seen{Signs: signs(sign(refuses, 1, 2), sign(refuses, 60, 61))}, stopped(refuses, 2, 61, 2)},
		"one that was sent before was refused late":        {stopped(refuses, 2, 4, 1), upkeep.Seen{Signs: signs(sign(refuses, 3, 5))}, stopped(refuses, 2, 5, 1)},
		"the reason changes":                               {stopped(refuses, 2, 4, 1), upkeep.Seen{Signs: signs(sign(none, 60, 61))}, stopped(none, 61, 61, 0)},
		"an old sign tells nothing new":                    {nil, upkeep.Seen{Now: at(300), Signs: signs(sign(refuses, 1, 2))}, nil},
		"but it keeps what was decided":                    {stopped(refuses, 2, 2, 0), upkeep.Seen{Now: at(300), Signs: signs(sign(refuses, 1, 2))}, stopped(refuses, 2, 2, 0)},
		"one run without its files, no file for long":      {nil, upkeep.Seen{Signs: signs(sign(other, 1, 70))}, stopped(other, 70, 70, 0)},
		"one run without its files, files came before":     {nil, upkeep.Seen{Signs: signs(sign(other, 10, 70)), Came: at(5)}, nil},
		"two, files came before":                           {nil, upkeep.Seen{Signs: signs(sign(other, 10, 70), sign(other, 11, 71)), Came: at(5)}, stopped(other, 70, 71, 0)},
		"two, and a file came of one that was sent since":  {nil, upkeep.Seen{Signs: signs(sign(other, 10, 70), sign(other, 11, 71)), Came: at(20)}, nil},
		"an accepted prompt does not heal a lost volume":   {stopped(own, 70, 70, 0), upkeep.Seen{Accepted: at(90)}, stopped(own, 70, 70, 0)},
		"a file does":                                      {stopped(own, 70, 70, 0), upkeep.Seen{Came: at(90)}, nil},
		"the key is right again, and the volume is wrong":  {stopped(refuses, 2, 4, 0), upkeep.Seen{Accepted: at(6), Now: at(70), Signs: signs(sign(refuses, 1, 4), sign(other, 6, 69))}, stopped(other, 69, 69, 0)},
		"a try that loses its files counts one try":        {stopped(other, 70, 70, 0), upkeep.Seen{Signs: signs(sign(other, 200, 300))}, stopped(other, 70, 300, 1)},
		"runs that were under way lose theirs, no new try": {stopped(other, 70, 70, 0), upkeep.Seen{Signs: signs(sign(other, 60, 130))}, stopped(other, 70, 130, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.was.After(c.seen)
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if again := got.After(c.seen); (again == nil) != (got == nil) || again != nil && *again != *got {
				t.Errorf("asked again it says %+v after %+v", again, got)
			}
		})
	}
}

func TestStopTryAt(t *testing.T) {
	for name, c := range map[string]struct {
		stop upkeep.Stop
		seen upkeep.Seen
		want time.Duration // after the newest evidence
	}{
		"a wrong key, no answer":                     {upkeep.Stop{Code: upkeep.EndpointRefuses}, upkeep.Seen{}, time.Minute},
		"it answers":                                 {upkeep.Stop{Code: upkeep.EndpointRefuses}, upkeep.Seen{Answered: at(101)}, 0},
		"it answered before":                         {upkeep.Stop{Code: upkeep.EndpointRefuses}, upkeep.Seen{Answered: at(100)}, time.Minute},
		"it answers questions and refuses prompts":   {upkeep.Stop{Code: upkeep.EndpointRefuses, Tried: 2, Misled: 2}, upkeep.Seen{Answered: at(101)}, time.Minute},
		"for long":                                   {upkeep.Stop{Code: upkeep.EndpointRefuses, Tried: 50, Misled: 50}, upkeep.Seen{Answered: at(101)}, 5 * time.Minute},
		"it answers after it refused for long":       {upkeep.Stop{Code: upkeep.EndpointRefuses, Tried: 50}, upkeep.Seen{Answered: at(101)}, 0},
		"no answer for long":                         {upkeep.Stop{Code: upkeep.EndpointRefuses, Tried: 50}, upkeep.Seen{}, 10 * time.Minute},
		"no nodes, and it answers":                   {upkeep.Stop{Code: upkeep.NoNodes}, upkeep.Seen{Answered: at(101), NoNodes: true}, time.Minute},
		"nodes again":                                {upkeep.Stop{Code: upkeep.NoNodes}, upkeep.Seen{Answered: at(101)}, 0},
		"another volume, the same server":            {upkeep.Stop{Code: upkeep.OtherVolume, Argv: "a"}, upkeep.Seen{Argv: "a", Answered: at(101)}, time.Minute},
		"another command line":                       {upkeep.Stop{Code: upkeep.OtherVolume, Argv: "a"}, upkeep.Seen{Argv: "b"}, 0},
		"another command line that was tried":        {upkeep.Stop{Code: upkeep.OtherVolume, Argv: "a", Tried: 1, Misled: 1}, upkeep.Seen{Argv: "b"}, 30 * time.Second},
		"a run that is lost costs a machine's start": {upkeep.Stop{Code: upkeep.OtherVolume}, upkeep.Seen{Sleeps: true}, 10 * time.Minute},
		"at most once an hour":                       {upkeep.Stop{Code: upkeep.OtherVolume, Tried: 9}, upkeep.Seen{Sleeps: true}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			c.stop.At = at(100)
			if got := c.stop.TryAt(c.seen).Sub(c.stop.At); got != c.want {
				t.Errorf("tried after %s, want %s", got, c.want)
			}
		})
	}
}

func TestStopAskAt(t *testing.T) {
	refuses, other := upkeep.Stop{Code: upkeep.EndpointRefuses, At: at(0)}, upkeep.Stop{Code: upkeep.OtherVolume, At: at(0)}
	for name, c := range map[string]struct {
		stop    upkeep.Stop
		asked   int
		sleeps  bool
		waiting int
		want    time.Duration // zero: never
	}{
		"soon at first":                           {refuses, 0, false, 0, 5 * time.Second},
		"then slower":                             {refuses, 2, false, 0, 35 * time.Second},
		"every half minute in the end":            {refuses, 3, false, 0, 65 * time.Second},
		"one that sleeps, for jobs that wait":     {refuses, 0, true, 1, 5 * time.Second},
		"one that sleeps is not woken for nobody": {refuses, 0, true, 0, 0},
		"nor where an answer proves nothing":      {other, 0, true, 5, 0},
		"one that never sleeps may show a change": {other, 0, false, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got, ask := c.stop.AskAt(c.asked, upkeep.Seen{Sleeps: c.sleeps}, c.waiting)
			if ask != (c.want > 0) || ask && got.Sub(at(0)) != c.want {
				t.Errorf("asked %v after %s, want %s", ask, got.Sub(at(0)), c.want)
			}
		})
	}
}

func TestStopIsTold(t *testing.T) {
	for _, code := range []string{upkeep.EndpointRefuses, upkeep.NoNodes, upkeep.NoOutputDirectory, upkeep.OtherVolume} {
		s := upkeep.Stop{Code: code, Message: "because of that", Since: at(1), At: at(2)}.Told("gpu", upkeep.Seen{}, 3, false)
		if !upkeep.Stops(code) || s.Message != "nothing is sent to gpu: because of that" || s.Waiting != 3 || s.Next.IsZero() ||
			!strings.Contains(s.Hint, "sending goes on by itself") || !strings.Contains(s.Hint, "qmtui doctor --canary --deployment gpu") {
			t.Errorf("%s: %+v", code, s)
		}
	}
	if upkeep.Stops("worker_refused") || upkeep.Stops("no_files") {
		t.Error("what may be a job's own fault stops sending")
	}
}

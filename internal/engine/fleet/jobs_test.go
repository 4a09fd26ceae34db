package fleet

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// One call answers queued, running and ended, behind a balancer as well.
func TestRow26OneCallForEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(2, 1)
		c.modern, c.run = true, time.Minute
		fl := c.open(t, spec())
		got, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		elapse(t, 50*time.Second)
		if began := got.of(job.Started); len(began) == 0 || began[0].Evidence != job.ByPlatform {
			t.Errorf("nobody said that it runs: %+v", got.list)
		}
		elapse(t, time.Minute)
		ends := got.of(job.Finished)
		if len(ends) == 0 || ends[0].Evidence != job.ByHistory || !slices.Equal(ends[0].Files, []job.Path{"x_00001_.png"}) {
			t.Errorf("ended %+v", ends)
		}
		if n := c.count("GET /history"); n != 0 {
			t.Errorf("%d calls for the history", n)
		}
		if n := c.count("GET /api/jobs/"); n < 10 {
			t.Errorf("%d calls for the job", n)
		}
	})
}

// A server without the call is asked for it once, and once more when a server
// of another version is heard of.
func TestRow26OldServersCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.run = time.Hour
		fl := c.open(t, spec())
		_, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		elapse(t, 30*time.Minute)
		for range 3 {
			if err := fl.Interrupt(t.Context(), flight(1, job.Running)); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.count("GET /api/jobs/"); n != 2 {
			t.Errorf("asked %d times for a job", n)
		}
		if n := c.count("POST /api/jobs/"); n != 1 || c.count("POST /interrupt") != 3 || c.count("POST /queue") != 3 {
			t.Errorf("%d cancels, %v", n, c.count("POST"))
		}
		if n := c.count("GET /history/"); n < 300 {
			t.Errorf("asked for the history %d times", n)
		}
	})
}

func TestRow26CancelOfOnePrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.modern, c.run = true, time.Hour
		fl := c.open(t, spec())
		c.send(t, fl, 1)
		if err := fl.Interrupt(t.Context(), flight(1, job.Running)); err != nil {
			t.Fatal(err)
		}
		if len(c.nodes[0].starts) != 0 || c.count("POST /interrupt")+c.count("POST /queue") != 0 {
			t.Errorf("requests %v", c.seen)
		}
	})
}

// What a server with --enable-assets counts to the prompt is evidence by path.
func TestRow26AssetsOfAPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.modern, c.run = true, 20*time.Second
		c.nodes[0].argv = `"main.py","--enable-assets","--output-directory","/mnt/share"`
		c.assets = `{"assets":[{"job_id":"` + promptID(1) + `","display_name":"texts/a.txt"},{"job_id":"` + promptID(2) + `","display_name":"b.txt"},
			{"job_id":"` + promptID(1) + `","display_name":"x_00001_.png"},{"job_id":"` + promptID(1) + `","display_name":"../c.txt"},{"display_name":"d"}],"total":4,"has_more":false}`
		fl := c.open(t, spec())
		got, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		elapse(t, 30*time.Second)
		ends := got.of(job.Finished)
		if len(ends) != 1 || !slices.Equal(ends[0].Files, []job.Path{"x_00001_.png", "texts/a.txt"}) {
			t.Errorf("ended %+v", ends)
		}
	})
}

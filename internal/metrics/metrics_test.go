package metrics

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/comfyume/qmtui/internal/job"
)

// TestStream: what an ordinary life adds to the figures.
func TestStream(t *testing.T) {
	s := newFakeSource()
	o := h200
	o.Now = clock(90)
	m := start(t, o, s)
	s.tell(t, life[:6]...)
	s.tell(t, of("waits", life[0])...)
	s.tell(t, of("posts", life[:2]...)...)
	synced(t, s)
	want(t, scrape(t, m), map[string]float64{
		`qmtui_oldest_job_seconds{state="queued"}`: 90, `qmtui_oldest_job_seconds{state="running"}`: 20,
		`qmtui_oldest_job_seconds{state="submitting"}`: 85, `qmtui_deployment_oldest_post_seconds{deployment="h200"}`: 85,
		"qmtui_outputs_undelivered": 1, "qmtui_outputs_oldest_undelivered_seconds": 8,
		`qmtui_job_wait_seconds_sum{deployment="h200"}`: 70, "qmtui_jobs_submitted_total": 4, // one of them is synced's
		`qmtui_deadlines_total{code="never_appeared",deployment="h200"}`: 0,
	})
	s.tell(t, life[6:]...)
	synced(t, s)
	want(t, scrape(t, m), map[string]float64{
		`qmtui_job_attempts_total{code="none",deployment="h200",outcome="done"}`: 1,
		`qmtui_job_run_seconds_sum{deployment="h200"}`:                           13, `qmtui_job_delivery_seconds_sum{deployment="h200"}`: 2,
		`qmtui_job_duration_seconds_sum{deployment="h200"}`: 85, "qmtui_output_delivery_seconds_sum": 2, "qmtui_output_bytes_total": 1000,
		`qmtui_outputs_total{evidence="prefix",state="stored"}`: 1, `qmtui_evidence_total{evidence="platform",kind="acknowledged"}`: 1,
		"qmtui_outputs_undelivered": 0, `qmtui_oldest_job_seconds{state="running"}`: 0,
	})
}

// synced tells of one more job, twice: when the second was taken, all before
// it was counted.
func synced(t *testing.T, s *fakeSource) {
	t.Helper()
	id := fmt.Sprint("mark", len(s.jobs))
	s.tell(t, of(id, life[0])...)
	s.changes <- job.Change{Job: s.jobs[job.ID(id)]}
}

// TestGap: a reader that was cut off counts what it missed, once, and what was
// there before it began not at all.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource()
		s.record(t, of("old", life[:5]...)...)
		s.record(t, of("past", life...)...)
		m := start(t, h200, s)
		s.tell(t, life[:4]...)
		s.tell(t, of("old", life[5:]...)...)
		s.record(t, life[4:]...) // all this is missed
		s.record(t, of("new", life[:2]...)...)
		s.cut()
		<-s.taken
		synctest.Wait()
		want(t, scrape(t, m), map[string]float64{
			"qmtui_jobs_submitted_total": 2, `qmtui_job_attempts_total{code="none",deployment="h200",outcome="done"}`: 2,
			`qmtui_evidence_total{evidence="manager",kind="assigned"}`: 2, `qmtui_outputs_total{evidence="prefix",state="stored"}`: 2,
			`qmtui_job_wait_seconds_count{deployment="h200"}`: 1, "qmtui_metrics_gaps_total": 1,
		})
	})
}

func TestMoment(t *testing.T) {
	s := newFakeSource()
	s.users = []job.UserStatus{{User: "ada", Queued: 1}, {User: "bob", Queued: 3, Running: 1, GPUSeconds: 7, Bytes: 9}, {User: "eve", Queued: 2}}
	o := h200
	o.TopUsers, o.BudgetPerDay, o.Budgets = 2, 20, map[string]float64{"h200": 5, "stray": 0}
	o.Store = func() StoreStats {
		return StoreStats{Commits: 4, Committing: 2 * time.Second, Jobs: 10, OpenJobs: 3, Rev: 99}
	}
	got := scrape(t, start(t, o, s))
	want(t, got, map[string]float64{
		`qmtui_jobs{state="queued"}`: 3, `qmtui_jobs{state="lost"}`: 0, `qmtui_queue_mode{mode="paused"}`: 1, `qmtui_queue_mode{mode="running"}`: 0,
		`qmtui_warnings{code="disk_full"}`: 2, `qmtui_warnings{code="other"}`: 1, `qmtui_warnings{code="share_not_mounted"}`: 0, "qmtui_orphans": 2,
		"qmtui_exclusive_waiting_jobs": 3, "qmtui_copies_ignored_total": 7,
		`qmtui_silent_attempts{deployment="h200"}`: 2, `qmtui_silent_attempts{deployment="stray"}`: -1, `qmtui_learned_classes{deployment="h200"}`: 1,
		"qmtui_share_mounted": 1, "qmtui_share_looked_timestamp_seconds": float64(noon.Unix()),
		`qmtui_deployment_state{deployment="h200",state="warm"}`: 1, `qmtui_deployment_state{deployment="h200",state="asleep"}`: 0,
		`qmtui_deployment_cold_start_p90_seconds{deployment="h200"}`: 200, `qmtui_deployment_capacity{deployment="stray"}`: -1,
		"qmtui_budget_per_day": 20, `qmtui_deployment_budget_per_day{deployment="h200"}`: 5, `qmtui_deployment_budget_per_day{deployment="stray"}`: -1,
		"qmtui_users": 3, `qmtui_user_jobs{state="queued",user="bob"}`: 3, `qmtui_user_jobs{state="queued",user="eve"}`: 2, `qmtui_user_jobs{state="queued",user="ada"}`: -1,
		"qmtui_store_commit_duration_seconds_count": 4, "qmtui_store_commit_duration_seconds_sum": 2, `qmtui_store_jobs{closed="true"}`: 7,
	})
}

// TestWaitThatNobodyKnows: no figure is better than a wrong one.
func TestWaitThatNobodyKnows(t *testing.T) {
	for wait, figure := range map[float64]float64{-1: -1, 0: 0, 42: 42} {
		s := newFakeSource()
		s.status.Wait = wait
		want(t, scrape(t, start(t, h200, s)), map[string]float64{"qmtui_queue_wait_estimate_seconds": figure})
	}
}

func TestHeard(t *testing.T) {
	m := New(h200)
	m.Copied(job.Receipt{Size: 500}, nil, 2*time.Second)
	m.Copied(job.Receipt{Size: 500, Repeated: true}, nil, time.Second)
	m.Copied(job.Receipt{}, &job.Error{Code: "disk_full"}, time.Second)
	m.Copied(job.Receipt{}, errors.New("odd"), time.Second)
	m.Sampled(job.Sample{Deployment: "h200", Cold: true, Seconds: 120})
	m.Sampled(job.Sample{Deployment: "h200", Seconds: 12})
	m.Sampled(job.Sample{Deployment: "elsewhere", Cold: true, Seconds: 12})
	ended := m.Called("GET", "/api/jobs/{id}")
	m.Called("BREW", "")(400, false)
	m.Called("GET", "/api/events")(200, true)
	ended(200, false)
	m.Called("GET", "/ws")
	m.Staged(nil, time.Second)
	m.Staged(&job.Error{Code: "inputs_not_mounted"}, time.Second)
	m.Staged(context.Canceled, time.Second)
	m.Visited(false)()
	m.Visited(true)
	want(t, scrape(t, m), map[string]float64{
		"qmtui_copied_bytes_total": 500, "qmtui_copy_duration_seconds_count": 2, "qmtui_copy_duration_seconds_sum": 3,
		`qmtui_copy_errors_total{code="disk_full"}`: 1, `qmtui_copy_errors_total{code="internal"}`: 1, `qmtui_copy_errors_total{code="not_writable"}`: 0,
		"qmtui_input_stage_duration_seconds_count": 1, `qmtui_input_stage_errors_total{code="inputs_not_mounted"}`: 1, `qmtui_input_stage_errors_total{code="disk_full"}`: 0,
		`qmtui_ssh_visits{access="act"}`: 0, `qmtui_ssh_visits{access="look"}`: 1, `qmtui_ssh_visits_total{access="act"}`: 1,
		`qmtui_cold_start_seconds_sum{deployment="h200"}`: 120, `qmtui_cold_start_seconds_count{deployment="other"}`: 1,
		`qmtui_http_requests_total{code="200",method="GET",route="/api/jobs/{id}"}`: 1, `qmtui_http_requests_total{code="400",method="other",route="none"}`: 1,
		`qmtui_http_request_duration_seconds_count{method="GET",route="/api/events"}`: -1, `qmtui_http_requests_in_flight{route="/ws"}`: 1, `qmtui_http_requests_in_flight{route="/api/events"}`: 0,
	})
}

// TestRoomOfAHungDisk: a look that does not come back is not repeated, holds
// nobody up, and leaves the other disks alone.
func TestRoomOfAHungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource()
		m := New(Options{Disks: map[string]string{"users": "/users", "share": "/share", "none": ""}})
		hang, looks := make(chan struct{}), map[string]int{}
		m.rooms.look = func(path string) (room, error) {
			m.rooms.mu.Lock()
			looks[path]++
			m.rooms.mu.Unlock()
			if path == "/share" {
				<-hang
			}
			return room{free: 10, size: 100, files: -1}, nil
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx, s) }()
		time.Sleep(4 * roomEvery) // of the bubble's clock
		synctest.Wait()
		want(t, scrape(t, m), map[string]float64{`qmtui_disk_free_bytes{disk="users"}`: 10, `qmtui_disk_size_bytes{disk="users"}`: 100,
			`qmtui_disk_free_files{disk="users"}`: -1, `qmtui_disk_free_bytes{disk="share"}`: -1, `qmtui_disk_free_bytes{disk="none"}`: -1})
		if looks["/share"] != 1 || looks["/users"] < 4 {
			t.Errorf("looks: %v", looks)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(hang)
	})
}

// TestRealRoom: this machine has a disk.
func TestRealRoom(t *testing.T) {
	r, err := lookRoom(t.TempDir())
	if err != nil || r.size <= 0 || r.free < 0 || r.free > r.size {
		t.Errorf("%+v %v", r, err)
	}
}

// TestConventions lets Prometheus' own checker judge names, help and units.
func TestConventions(t *testing.T) {
	s := newFakeSource()
	o := h200
	o.TopUsers, o.Store, o.Disks = 1, func() StoreStats { return StoreStats{} }, map[string]string{"state": t.TempDir()}
	o.Limits = func() []LimitUse {
		return []LimitUse{{Limit: "streams", Places: 512, Taken: 3, Highest: 0.5, Refused: 7}}
	}
	s.users = []job.UserStatus{{User: "ada"}}
	m := start(t, o, s)
	m.Called("GET", "/health")(200, false)
	m.rooms.measure("state", o.Disks["state"])
	families, err := m.registry.Gather()
	if err != nil || len(families) < 60 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "qmtui_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestCardinality: a hundred users with a thousand jobs each, of many
// deployments and codes, cost no more series than a few.
func TestCardinality(t *testing.T) {
	const users, jobs, bound = 100, 1000, 2000
	names := []string{"h200-spot", "h200-on-demand", "b300-spot", "b300-on-demand"}
	m := New(Options{Deployments: names, TopUsers: 10})
	s := newFakeSource()
	states := []job.State{job.Done, job.Failed, job.Cancelled, job.Lost}
	dice := rand.New(rand.NewPCG(1, 2))
	evidence := []job.Evidence{job.ByPrefix, job.ByMetadata, job.ByHistory, job.ByPlatform, job.BySingleJob, job.ByTime, job.ByAdmin, job.ByManager}
	for u := range users {
		s.users = append(s.users, job.UserStatus{User: fmt.Sprintf("user%03d", u), Queued: u})
		for range jobs {
			i := dice.IntN(1 << 30)
			d, took := "", time.Duration(i%5000)*time.Second
			code := ""
			if states[i%4] == job.Failed || states[i%4] == job.Lost {
				code = knownOr(dice.IntN(1 << 30))
			}
			if d = names[dice.IntN(4)]; i%97 == 0 {
				d = fmt.Sprint("removed-", i)
			}
			t := &measured{d, took}
			m.jobs.take(news{submitted: true, waited: t, delivered: t, whole: t, runs: []measured{*t}, retries: []bool{i%2 == 0},
				ended:    []ending{{d, states[i%4], code}},
				evidence: []job.Witness{{Kind: job.AttemptKinds()[dice.IntN(10)], Evidence: evidence[i%8]}}, warnings: []string{knownOr(i)},
				settled: []job.Output{{State: job.OutputStored, Evidence: evidence[i%8], Size: 1, StoredAt: noon, WholeAt: noon}}})
			m.Called([]string{"GET", "POST", "M" + fmt.Sprint(i)}[i%3], "/api/jobs/{id}")([]int{200, 404, 429, 500}[i%4], false)
		}
	}
	m.mu.Lock()
	m.source = s
	m.mu.Unlock()
	got := scrape(t, m)
	byUser := 0
	for name := range got {
		if strings.Contains(name, "user0") {
			byUser++
		}
	}
	if byUser == 0 || byUser > 5*10 {
		t.Errorf("%d series of users, want those of 10", byUser)
	}
	if len(got) > bound {
		t.Errorf("%d series, the bound is %d", len(got), bound)
	}
	if got["qmtui_jobs_submitted_total"] != users*jobs {
		t.Errorf("counted %v jobs", got["qmtui_jobs_submitted_total"])
	}
	t.Logf("%d series", len(got))
}

// knownOr is now and then a code that somebody made up.
func knownOr(i int) string {
	if i%3 == 0 {
		return fmt.Sprintf("code_of_node_%d", i)
	}
	return knownCodes[i%len(knownCodes)]
}

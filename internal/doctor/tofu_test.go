package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tofuCases tries the judges of infrastructure code.
func tofuCases() []ruled {
	good := Tofu{Name: "h200", At: "main.tf:1", Overridden: true, Command: []string{"python3", "main.py", "--output-directory", "/mnt/sfs/outputs"}, Shared: []string{"/mnt/sfs"},
		Health: true, HealthPath: "/system_stats", HealthPort: "8188", Exposed: "8188", Concurrency: 1, ScaleDown: 300, QueueTTL: 900, Deadline: -1}
	with := func(judge func(Tofu) Result, break_ func(*Tofu)) Result {
		o := good
		break_(&o)
		return judge(o)
	}
	words := func(w ...string) func(*Tofu) { return func(o *Tofu) { o.Command = w } }
	health := func(p string) func(*Tofu) { return func(o *Tofu) { o.HealthPath = p } }
	delay := func(seconds int, longest time.Duration, polled bool) Result {
		o := TofuSeen{Tofu: good, Longest: longest, InConfig: true, Polled: polled}
		o.ScaleDown = seconds
		return judgeTofuScaleDown(o)
	}
	waits := func(ttl, deadline int, coldest time.Duration) Result {
		o := TofuSeen{Tofu: good, Coldest: coldest}
		o.QueueTTL, o.Deadline = ttl, deadline
		return judgeTofuWaits(o)
	}
	out, h, c := judgeTofuOutput, judgeTofuHealth, judgeTofuConcurrency
	kept := TofuSeen{Tofu: good}
	kept.MinReplicas = 1
	return []ruled{
		{"healthy", with(out, func(*Tofu) {}), "shared"},
		{"in a shell", with(out, words("sh", "-c", `exec python3 main.py --output-directory="/mnt/sfs/o"`)), "shared"},
		{"by a variable", with(out, func(o *Tofu) { o.Command, o.Env = nil, []string{"--output-directory /mnt/sfs/o"} }), "shared"},
		{"missing", with(out, words("python3", "main.py")), "missing"},
		{"own disk", with(out, words("--output-directory", "/mnt/sfsx")), "own_disk"},
		{"no shared volume", with(out, func(o *Tofu) { o.Shared = nil }), "own_disk"},
		{"the image's", with(out, func(o *Tofu) { o.Command, o.Overridden = nil, false }), "image"},
		{"by a run", with(out, words("--output-directory", unknownWord)), "unknown"},
		{"by the shell", with(out, words("sh -c 'main.py --output-directory $OUT'")), "unknown"},
		{"words of a run", with(out, func(o *Tofu) { o.Command, o.CommandUnknown = nil, true }), "unknown"},

		{"healthy", with(h, func(*Tofu) {}), "good"},
		{"root", with(h, health("/")), "good"},
		{"with api", with(h, health("/api/queue")), "good"},
		{"404", with(h, health("/health")), "not_found"},
		{"404 too", with(h, health("/api/healthz")), "not_found"},
		{"no slash", with(h, health("system_stats")), "not_path"},
		{"address", with(h, health("http://localhost:8188/")), "not_path"},
		{"query", with(h, health("/queue?x=1")), "not_path"},
		{"other port", with(h, func(o *Tofu) { o.HealthPort = "80" }), "port"},
		{"off", with(h, func(o *Tofu) { o.Health = false }), "off"},
		{"no path", with(h, health("")), "default"},
		{"somebody's own", with(h, health("/my/alive")), "strange"},
		{"by a run", with(h, func(o *Tofu) { o.HealthUnknown = true }), "unknown"},

		{"one", with(c, func(*Tofu) {}), "one"},
		{"several", with(c, func(o *Tofu) { o.Concurrency = 10 }), "several"},
		{"by a run", with(c, func(o *Tofu) { o.Concurrency = -1 }), "unknown"},

		{"longer than usual", delay(300, 0, true), "longer"},
		{"longer than measured", delay(60, 30*time.Second, true), "longer"},
		{"shorter, polled", delay(60, 0, true), "shorter"},
		{"shorter than measured, polled", delay(300, 10*time.Minute, true), "shorter"},
		{"shorter, not polled", delay(60, 0, false), "kills"},
		{"shorter, of somebody else", judgeTofuScaleDown(TofuSeen{Tofu: Tofu{Name: "x", ScaleDown: 60}}), "shorter"},
		{"by a run", delay(-1, 0, true), "unknown"},
		{"kept", judgeTofuScaleDown(kept), "never"},

		{"waits longer than usual", waits(900, -1, 0), "enough"},
		{"waits longer than measured", waits(300, 300, 4*time.Minute), "enough"},
		{"shorter than usual", waits(300, -1, 0), "dropped"},
		{"shorter than measured", waits(900, -1, 20*time.Minute), "dropped"},
		{"a deadline that is shorter", waits(900, 60, 0), "dropped"},
		{"by a run", waits(-1, -1, 0), "unknown"},
	}
}

// tofuReadCases are what the stage says of whole folders.
func tofuReadCases() []ruled {
	say := func(dir string) Result {
		return Visit{TF: "testdata/tofu/" + dir}.tofuStage(known{}).run(nil)[0]
	}
	return []ruled{{"good", say("good"), "read"}, {"nothing", say("empty"), "empty"}, {"not HCL", say("broken"), "broken"}, {"not there", say("none"), "broken"}}
}

// TestReadTofu reads whole folders: for_each, locals, variables with files of
// values, merge, JSON, modules, and values that only a run knows.
func TestReadTofu(t *testing.T) {
	for dir, want := range map[string]string{
		"good": `
b300-on-demand: shared good one longer enough
b300-spot: shared good one longer enough
h200-on-demand: shared good one longer enough
h200-spot: shared good one longer enough`,
		"bad": `
health-404: shared not_found one longer enough
no-output-directory: missing good one longer enough
own-disk: own_disk good one longer enough
several: shared good several longer enough
short: shared good one kills enough
unknown: unknown unknown unknown unknown unknown`,
		"scaling": `
from-json: image off several never unknown`,
		"modules": `
worker-a-0: image off one kills unknown
worker-a-1: image off one kills unknown
worker-b-0: image off one kills unknown
worker-b-1: image off one kills unknown`,
	} {
		found, err := ReadTofu(filepath.Join("testdata/tofu", dir))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		var got strings.Builder
		for _, f := range found {
			got.WriteString("\n" + f.Name + ":")
			for _, r := range judgeTofu(TofuSeen{Tofu: f, InConfig: true}) {
				got.WriteString(" " + r.Code)
			}
		}
		if got.String() != want {
			t.Errorf("%s:%s\nwant%s", dir, got.String(), want)
		}
	}
}

func TestBrokenTofuNamesItsLine(t *testing.T) {
	_, err := ReadTofu("testdata/tofu/broken")
	if err == nil || !strings.Contains(err.Error(), "main.tf:1") {
		t.Errorf("the error is %v", err)
	}
}

// FuzzTofu: files of others must neither hang nor break doctor.
func FuzzTofu(f *testing.F) {
	for _, dir := range []string{"good", "bad", "modules"} {
		text, err := os.ReadFile(filepath.Join("testdata/tofu", dir, "main.tf"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`resource "verda_container" "x" { for_each = range(1e9) }`)
	f.Add(`locals { a = [for x in range(100) : [for y in range(100) : x]] }`)
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, _ := ReadTofu(dir)
		for _, x := range found {
			judgeTofu(TofuSeen{Tofu: x})
		}
	})
}

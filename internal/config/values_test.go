package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDurationText(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"off": 0, "0": 0, "0s": 0, "90s": 90 * time.Second, "15m": 15 * time.Minute, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1.5s": 1500 * time.Millisecond, "106751d": 106751 * day,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%q is %v, %v; want %v", text, d.Std(), err, want)
		}
	}
	for _, text := range []string{"", "5", "-1s", "d", "1d-2h", "-1d", "106752d", "106751d24h", "1.5d", "soon", "1w", " 1s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %v", text, d)
		}
	}
}

func TestBytesText(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "off": 0, "1": 1, "4096": 4096, "1GiB": 1 << 30, "500MB": 500e6, "1.5TiB": 3 << 39, "1 gib": 1 << 30, "9223372036854775807": math.MaxInt64,
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b.Int64() != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "B", "-1", "1.5", "0.3B", "9223372036854775808", "8192PiB", "1e3", "1..2GB", "1GB2", "1/2"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, b)
		}
	}
}

func TestFileModeText(t *testing.T) {
	for text, want := range map[string]FileMode{"0644": 0o644, "644": 0o644, "0o755": 0o755, "0": 0} {
		var m FileMode
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%q is %v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "0888", "04755", "rw-r--r--", "-644"} {
		var m FileMode
		if err := m.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %v", text, m)
		}
	}
}

func FuzzTextRoundTrip(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(time.Hour))
	f.Add(int64(1 << 30))
	f.Add(int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, n int64) {
		n &= math.MaxInt64
		var d Duration
		if err := d.UnmarshalText([]byte(Duration(n).String())); err != nil || int64(d) != n {
			t.Errorf("%d became %q and then %d, %v", n, Duration(n), d, err)
		}
		var b Bytes
		if err := b.UnmarshalText([]byte(Bytes(n).String())); err != nil || int64(b) != n {
			t.Errorf("%d became %q and then %d, %v", n, Bytes(n), b, err)
		}
	})
}

func TestSecretNeverPrints(t *testing.T) {
	d := Deployment{Name: "a", Key: "hunter2"}
	j, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", d), fmt.Sprintf("%#v", d), fmt.Sprint(d.Key), string(j)} {
		if strings.Contains(s, "hunter2") {
			t.Error(s)
		}
	}
	if Secret("").String() != "" {
		t.Error("no secret must print as nothing")
	}
}

func TestEveryTagIsUsable(t *testing.T) {
	cfg := Default()
	cfg.Deployments, cfg.SaveNodes = []Deployment{NewDeployment("a")}, []SaveNode{NewSaveNode()}
	for _, f := range cfg.fields() {
		if f.tag.Get("doc") == "" && !f.isSecret() {
			t.Errorf("%s has no doc", f.key)
		}
		for _, bound := range []string{f.tag.Get("min"), f.tag.Get("max")} {
			if bound != "" {
				parsed(f, bound) // panics on a wrong tag
			}
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"", "ab", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

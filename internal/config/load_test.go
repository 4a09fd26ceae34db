package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const sample = `
[server]
listen = ":3100"

[queue]
accept_timeout = "1d12h"
retries = 0

[share]
free_reserve = "500MB"

[users]
file_mode = "0640"

[[deployment]]
name = "h200-spot"
url = "https://containers.example.org/h200"
key_env = "SERVERLESS_API_KEY"
price_per_hour = 1

[[deployment]]
name = "h200"
url = "http://127.0.0.1:8188"
active = true
`

// options never look at the machine's own files and environment.
func options(t *testing.T, env ...string) Options {
	t.Helper()
	dir := t.TempDir()
	return Options{Env: append([]string{"HOME=" + dir}, env...), Dir: dir, System: filepath.Join(dir, "etc.toml")}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadText(t *testing.T, text string, env ...string) (Config, Source, error) {
	t.Helper()
	opt := options(t, env...)
	opt.Path, opt.Explicit = write(t, filepath.Join(opt.Dir, "my.toml"), text), true
	return Load(opt)
}

func mustLoad(t *testing.T, text string, env ...string) (Config, Source) {
	t.Helper()
	cfg, src, err := loadText(t, text, env...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, src
}

func TestLoadReadsEveryKindOfValue(t *testing.T) {
	cfg, src := mustLoad(t, sample, "SERVERLESS_API_KEY=sesame")
	want := Default()
	want.Server.Listen = ":3100"
	want.Queue.AcceptTimeout, want.Queue.Retries = Duration(36*time.Hour), 0
	want.Share.FreeReserve, want.Users.FileMode = 500e6, 0o640
	spot, plain := NewDeployment("h200-spot"), NewDeployment("h200")
	spot.URL, spot.KeyEnv, spot.Key, spot.PricePerHour = "https://containers.example.org/h200", "SERVERLESS_API_KEY", "sesame", 1
	plain.URL, plain.Active = "http://127.0.0.1:8188", true
	want.Deployments = []Deployment{spot, plain}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %#v\nwant %#v", cfg, want)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	for key, line := range map[string]int{"server.listen": 3, "users.file_mode": 13, "deployment[0].price_per_hour": 19, "deployment[1].active": 24} {
		if got := src.Of(key); got.Kind != FromFile || got.Line != line {
			t.Errorf("%s comes from %v, want line %d", key, got, line)
		}
	}
}

func TestEnvironmentWinsOverFileAndFlagsOverBoth(t *testing.T) {
	opt := options(t, "QMTUI_SERVER_LISTEN=:1", "QMTUI_QUEUE_MODE=fifo", "QMTUI_AUTH_ADMINS=ann, bob",
		"QMTUI_DEPLOYMENT_H200_SPOT_KEY=from-env", "QMTUI_DEPLOYMENT_H200_CAPACITY=7", "QMTUI_STATE_DIR=", "SERVERLESS_API_KEY=other",
		"QMTUI_PORT=tcp://10.0.0.1:80", "QMTUI_SERVICE_HOST=10.0.0.1", "QMTUI_TOKEN=x")
	opt.KnownEnv = []string{"QMTUI_TOKEN"}
	opt.Flags = []Flag{{"--listen", "server.listen", ":2"}}
	write(t, filepath.Join(opt.Dir, "qmtui.toml"), sample)
	cfg, src, err := Load(opt)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Server.Listen != ":2" || src.Of("server.listen").String() != "--listen" {
		t.Errorf("listen %q from %v", cfg.Server.Listen, src.Of("server.listen"))
	}
	if cfg.Queue.Mode != "fifo" || src.Of("queue.mode").String() != "$QMTUI_QUEUE_MODE" {
		t.Errorf("mode %q from %v", cfg.Queue.Mode, src.Of("queue.mode"))
	}
	if !reflect.DeepEqual(cfg.Auth.Admins, []string{"ann", "bob"}) {
		t.Errorf("admins %q", cfg.Auth.Admins)
	}
	if cfg.Deployments[0].Key.Reveal() != "from-env" || cfg.Deployments[1].Capacity != 7 {
		t.Errorf("deployments %+v", cfg.Deployments)
	}
}

func TestSearchOrder(t *testing.T) {
	opt := options(t)
	file := func(name, listen string) string {
		return write(t, filepath.Join(opt.Dir, name), "[server]\nlisten = \""+listen+"\"")
	}
	expect := func(step, want string) {
		t.Helper()
		if cfg, _, err := Load(opt); err != nil || cfg.Server.Listen != want {
			t.Errorf("%s: listen %q, %v; want %q", step, cfg.Server.Listen, err, want)
		}
	}
	expect("nothing", "127.0.0.1:3000")
	file("etc.toml", ":1")
	expect("system", ":1")
	file("qmtui.toml", ":2")
	expect("local", ":2")
	opt.Env = append(opt.Env, "QMTUI_CONFIG="+file("env.toml", ":3"))
	expect("environment", ":3")
	opt.Path = "absent.toml"
	expect("path that need not exist", ":3")
	opt.Path, opt.Explicit = file("flag.toml", ":4"), true
	expect("flag", ":4")
}

func TestFileThatWasNamedMustBeReadable(t *testing.T) {
	for name, c := range map[string]struct {
		opt  func(*Options)
		code string
	}{
		"absent flag":     {func(o *Options) { o.Path, o.Explicit = "absent.toml", true }, CodeMissing},
		"absent variable": {func(o *Options) { o.Env = append(o.Env, "QMTUI_CONFIG=/absent/x.toml") }, CodeMissing},
		"folder":          {func(o *Options) { o.Path, o.Explicit = ".", true }, CodeUnreadable},
		"too large": {func(o *Options) {
			o.Path = filepath.Join(o.Dir, "big.toml")
			o.Explicit = os.WriteFile(o.Path, make([]byte, maxFile+1), 0o600) == nil
		}, CodeUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(t)
			c.opt(&opt)
			_, _, err := Load(opt)
			if ps := ProblemsOf(err); len(ps) != 1 || ps[0].Code != c.code || ps[0].Hint == "" {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestWithoutAnythingFoldersAreUnderTheStateFolder(t *testing.T) {
	opt := options(t)
	cfg, src, err := Load(opt)
	if err != nil {
		t.Fatal(err)
	}
	state, err := cfg.StateDir(opt.Env)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Share.Outputs != state+"/share/outputs" || cfg.Users.Outputs != state+"/users" || src.Of("users.outputs").Kind != FromHome {
		t.Errorf("share %s, users %s, state %s", cfg.Share.Outputs, cfg.Users.Outputs, state)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("the first start must be valid: %v", err)
	}
}

func TestBadTextIsNamedWithLineAndRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		text, code string
		line       int
		words      string
	}{
		"slip":              {"[queue]\n\nmax_dept = 3", CodeUnknownKey, 3, "queue.max_depth"},
		"swapped letters":   {"[queue]\nsettel = \"3s\"", CodeUnknownKey, 2, "queue.settle"},
		"other section":     {"[queue]\nmax_running = 3", CodeUnknownKey, 2, "users.max_running"},
		"section":           {"\n[deployments]\nx = 1", CodeUnknownKey, 2, "[deployment]"},
		"outside":           {"listen = ':1'", CodeUnknownKey, 1, "server.listen"},
		"dotted":            {"queue.mod = 'x'", CodeUnknownKey, 1, "queue.mode"},
		"inline":            {"[state]\n\n[[deployment]]\nname = 'a'\nulr = 'x'", CodeUnknownKey, 5, "deployment[0].url"},
		"inline tables":     {"deployment = [{name = 'a'},\n {nam = 'b'}]", CodeUnknownKey, 2, "deployment[1].name"},
		"one bracket":       {"[deployment]\nname = 'a'", CodeWrongType, 1, "[[deployment]]"},
		"number for time":   {"[queue]\nsettle = 3", CodeWrongType, 2, `queue.settle: expected a time in quotes`},
		"bad time":          {"[queue]\nsettle = '3 parsecs'", CodeWrongType, 2, `got "3 parsecs"`},
		"negative time":     {"[queue]\nsettle = '-3s'", CodeWrongType, 2, "expected a time"},
		"text for number":   {"[queue]\nmax_depth = '3'", CodeWrongType, 2, "expected a whole number, got text"},
		"text for bool":     {"[tag]\nprefix = 'yes'", CodeWrongType, 2, "expected true or false, got text"},
		"decimal mode":      {"[users]\nfile_mode = 644", CodeWrongType, 2, `"0644"`},
		"list of numbers":   {"[auth]\nadmins = [1]", CodeWrongType, 2, "item 1 is a whole number"},
		"section as value":  {"queue = 3", CodeWrongType, 1, "[queue]"},
		"bad size":          {"[share]\nfree_reserve = '1 GiBi'", CodeWrongType, 2, "expected a size"},
		"infinite price":    {"[[deployment]]\nname='a'\nprice_per_hour = inf", CodeWrongType, 3, "finite"},
		"no TOML":           {"[queue]\nmode = fair", CodeSyntax, 2, "quotes"},
		"twice":             {"[queue]\nretries = 1\nretries = 2", CodeSyntax, 3, "retries"},
		"secret":            {"[[deployment]]\nname = 'a'\nkey = 'hunter2'", CodeSecretInFile, 3, "key_env"},
		"platform's secret": {"[verda]\nclient_secret = 'hunter2'", CodeSecretInFile, 2, "client_secret_env"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadText(t, c.text)
			ps := ProblemsOf(err)
			if len(ps) != 1 || ps[0].Code != c.code || ps[0].Line != c.line || !strings.HasSuffix(ps[0].File, "my.toml") {
				t.Fatalf("got %v, want %s in line %d", err, c.code, c.line)
			}
			if msg := err.Error(); !strings.Contains(msg, c.words) || strings.Contains(msg, "hunter2") {
				t.Errorf("got %s\nwant it to say %s", msg, c.words)
			}
		})
	}
}

func TestAllBadKeysAreReportedAtOnceInOrder(t *testing.T) {
	_, _, err := loadText(t, "[queue]\nx1 = 1\nmode = 3\n[auth]\nx2 = 1\n", "QMTUI_QUEUE_MODES=fair", "QMTUI_QUEUE_RETRIES=many")
	var lines []int
	for _, p := range ProblemsOf(err) {
		lines = append(lines, p.Line)
	}
	if want := []int{0, 0, 2, 3, 5}; !reflect.DeepEqual(lines, want) {
		t.Errorf("lines %v, want %v: %v", lines, want, err)
	}
	for _, words := range []string{"$QMTUI_QUEUE_MODES", "QMTUI_QUEUE_MODE", "$QMTUI_QUEUE_RETRIES", "whole number"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in %v", words, err)
		}
	}
	var p *Problem
	if !errors.As(err, &p) {
		t.Error("a Problems must be found as *Problem")
	}
}

func TestOnlyDeploymentIsActiveUnlessItSaysNo(t *testing.T) {
	one := "[[deployment]]\nname = 'a'\nurl = 'http://localhost:8188'\n"
	for text, want := range map[string]bool{one: true, one + "active = false": false, one + "active = true": true} {
		if cfg, _ := mustLoad(t, text); cfg.Deployments[0].Active != want {
			t.Errorf("active = %v for\n%s", !want, text)
		}
	}
}

// Of several, the first that does not say false is active when none says true.
func TestRow16NoneIsActiveOnlyWhenAllSayNo(t *testing.T) {
	deployment := func(name, active string) string {
		return "[[deployment]]\nname = '" + name + "'\nurl = 'http://localhost:8188'\n" + active + "\n"
	}
	for _, c := range []struct{ a, b, want string }{
		{"", "", "a"}, {"active = false", "", "b"}, {"", "active = false", "a"}, {"", "active = true", "b"}, {"active = false", "active = false", ""},
	} {
		cfg, _ := mustLoad(t, deployment("a", c.a)+deployment("b", c.b))
		got := ""
		for _, d := range cfg.Deployments {
			if d.Active {
				got += d.Name
			}
		}
		advice := cfg.Advice()
		if got != c.want || (len(advice) > 0 && advice[0].Code == "none_active") != (c.want == "") {
			t.Errorf("%q and %q: %q is active, advice %v", c.a, c.b, got, advice)
		}
	}
}

func TestDeploymentFromTheEnvironmentAlone(t *testing.T) {
	cfg, _, err := Load(options(t, "QMTUI_DEPLOYMENT_GPU_BOX_URL=http://gpu:8188", "QMTUI_DEPLOYMENT_GPU_BOX_CAPACITY=2"))
	if err != nil {
		t.Fatal(err)
	}
	want := NewDeployment("gpu-box")
	want.URL, want.Capacity, want.Active = "http://gpu:8188", 2, true
	if !reflect.DeepEqual(cfg.Deployments, []Deployment{want}) {
		t.Errorf("got %+v", cfg.Deployments)
	}
	if _, _, err := loadText(t, sample, "QMTUI_DEPLOYMENT_H200S_URL=http://x"); err == nil {
		t.Error("beside a file, an unknown deployment in the environment must be an error")
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	key := write(t, filepath.Join(dir, "key"), "  sesame\n")
	text := "[[deployment]]\nname = 'a'\nurl = 'https://a'\nkey_file = '" + key + "'"
	cfg, src := mustLoad(t, text)
	if cfg.Deployments[0].Key.Reveal() != "sesame" || cfg.Validate() != nil || src.Of("deployment[0].key").String() != key {
		t.Errorf("key %q, %v", cfg.Deployments[0].Key.Reveal(), cfg.Validate())
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	cfg, src = mustLoad(t, text)
	if ps := ProblemsOf(cfg.Validate()); len(ps) != 1 || ps[0].Code != CodeSecretMissing || len(src.Warnings) != 1 {
		t.Errorf("got %v, warnings %v", ps, src.Warnings)
	}
}

func TestRequiresLogin(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                      false,
		"[auth]\nmode = 'login'":                true,
		"[auth]\nhtpasswd = '/etc/h'":           true,
		"[server]\nuser_header='X-Remote-User'": true,
		"[server]\nuser_header=''":              false,
		"[server]\nuser_header='X-U'\n[auth]\nmode='open'": false,
	} {
		if cfg, _ := mustLoad(t, text); cfg.RequiresLogin() != want {
			t.Errorf("RequiresLogin() = %v for %q", !want, text)
		}
	}
}

func TestTrustedHeader(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "X-Remote-User",
		"[auth]\nmode = 'login'":                "X-Remote-User",
		"[auth]\nhtpasswd = '/etc/h'":           "",
		"[auth]\nhtpasswd='/h'\nmode='open'":    "",
		"[server]\nuser_header='X-Remote-User'": "X-Remote-User",
		"[server]\nuser_header=''":              "",
		"[server]\nuser_header='X-U'\n[auth]\nhtpasswd='/etc/h'": "X-U",
	} {
		if cfg, _ := mustLoad(t, text); cfg.TrustedHeader() != want {
			t.Errorf("TrustedHeader() = %q for %q, want %q", cfg.TrustedHeader(), text, want)
		}
	}
}

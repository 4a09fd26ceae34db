package config

import (
	"strings"
	"testing"
)

// siteEnv is an .env as the site keeps it.
const siteEnv = `# workshop
DOMAIN=example.org
SERVERLESS_ENDPOINT=https://containers.datacrunch.io/h200
SERVERLESS_ENDPOINT_H200_SPOT="https://containers.datacrunch.io/h200"  # cheap
export SERVERLESS_ENDPOINT_B300_ON_DEMAND='https://containers.datacrunch.io/b300'
SERVERLESS_ACTIVE=b300-on-demand
SERVERLESS_API_KEY=hunter2
OUTPUTS_PATH=/outputs
INPUTS_PATH=/inputs
SFS_OUTPUT_DIR=/mnt/sfs/outputs
QUEUE_MODE=round-robin
MAX_QUEUE_DEPTH=200
JOB_TIMEOUT=3600
VERDA_CLIENT_ID=id
VERDA_CLIENT_SECRET=hunter2
EMPTY=
`

func siteOptions(t *testing.T, text string) Options {
	t.Helper()
	pairs, _, err := readDotEnv(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return options(t, pairs...)
}

func checkSite(t *testing.T, cfg Config) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.Queue.Mode != "fair" || cfg.Queue.MaxDepth != 200 || cfg.Queue.RunTimeout.String() != "1h" {
		t.Errorf("queue %+v", cfg.Queue)
	}
	if cfg.Users.Inputs != "/inputs" || cfg.Users.Outputs != "/outputs" || cfg.Share.Outputs != "/mnt/sfs/outputs" || cfg.Share.Inputs != "" {
		t.Errorf("users %+v, share %+v", cfg.Users, cfg.Share)
	}
	if cfg.Verda.ClientID != "id" || cfg.Verda.ClientSecret.Reveal() != "hunter2" {
		t.Errorf("verda %+v", cfg.Verda)
	}
	if len(cfg.Deployments) != 2 {
		t.Fatalf("deployments %+v", cfg.Deployments)
	}
	b300, h200 := cfg.Deployments[0], cfg.Deployments[1]
	if b300.Name != "b300-on-demand" || !b300.Active || b300.URL != "https://containers.datacrunch.io/b300" || b300.Key.Reveal() != "hunter2" {
		t.Errorf("b300 %+v", b300)
	}
	if h200.Name != "h200-spot" || h200.Active || h200.URL != "https://containers.datacrunch.io/h200" {
		t.Errorf("h200 %+v", h200)
	}
}

func TestSiteNamesWithoutAFile(t *testing.T) {
	cfg, src, err := Load(siteOptions(t, siteEnv))
	if err != nil || !src.Site {
		t.Fatal(src.Site, err)
	}
	checkSite(t, cfg)
}

func TestSiteNamesAreIgnoredBesideAFile(t *testing.T) {
	opt := siteOptions(t, siteEnv)
	opt.Path, opt.Explicit = write(t, opt.Dir+"/my.toml", ""), true
	cfg, src, err := Load(opt)
	if err != nil || src.Site || len(cfg.Deployments) != 0 || cfg.Queue.MaxDepth != 1000 {
		t.Errorf("%v, site %v, %+v", err, src.Site, cfg)
	}
}

func TestImportEnvMakesAFileThatMeansTheSame(t *testing.T) {
	file, warnings, err := ImportEnv(strings.NewReader(siteEnv))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(file)+strings.Join(warnings, "\n"), "hunter2") {
		t.Errorf("a secret was copied:\n%s\n%v", file, warnings)
	}
	if all := strings.Join(warnings, "\n"); !strings.Contains(all, "not used: DOMAIN") || !strings.Contains(all, "SERVERLESS_API_KEY was not copied") || len(warnings) != 3 {
		t.Errorf("warnings\n%s", all)
	}
	opt := siteOptions(t, siteEnv)
	opt.Path, opt.Explicit = write(t, opt.Dir+"/my.toml", string(file)), true
	cfg, _, err := Load(opt)
	if err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	checkSite(t, cfg)
}

func TestSiteDetails(t *testing.T) {
	for name, c := range map[string]struct {
		env    string
		active string
		code   string
	}{
		"one endpoint":        {"SERVERLESS_ENDPOINT=https://a/x", "default", ""},
		"active by address":   {"SERVERLESS_ENDPOINT=https://a/y\nSERVERLESS_ENDPOINT_X=https://a/x\nSERVERLESS_ENDPOINT_Y=https://a/y", "y", ""},
		"active in capitals":  {"SERVERLESS_ENDPOINT_X=https://a/x\nSERVERLESS_ENDPOINT_Y=https://a/y\nSERVERLESS_ACTIVE=Y", "y", ""},
		"nobody active":       {"SERVERLESS_ENDPOINT_X=https://a/x\nSERVERLESS_ENDPOINT_Y=https://a/y", "x", ""},
		"active that is not":  {"SERVERLESS_ENDPOINT_X=https://a/x\nSERVERLESS_ENDPOINT_Y=https://a/y\nSERVERLESS_ACTIVE=z", "x", CodeValue},
		"depth that is not":   {"MAX_QUEUE_DEPTH=many", "", CodeWrongType},
		"timeout with a unit": {"JOB_TIMEOUT=10m", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := Load(siteOptions(t, c.env))
			code, active := "", ""
			for _, p := range ProblemsOf(err) {
				code += p.Code
			}
			for _, d := range cfg.Deployments {
				if d.Active {
					active += d.Name
				}
			}
			if code != c.code || active != c.active {
				t.Errorf("got %q active and %v", active, err)
			}
		})
	}
}

func TestUnknownQueueModeOfTheSiteIsReported(t *testing.T) {
	cfg, src, err := Load(siteOptions(t, "QUEUE_MODE=lottery"))
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Locate(cfg.Validate()); err == nil || !strings.Contains(err.Error(), `$QUEUE_MODE: queue.mode is "lottery"`) {
		t.Errorf("got %v", err)
	}
}

func TestImportEnvRefuses(t *testing.T) {
	for text, code := range map[string]string{"": CodeNothing, "A=b": CodeNothing, "{\"a\": 1}": CodeSyntax, "no equals": CodeSyntax} {
		_, _, err := ImportEnv(strings.NewReader(text))
		if ps := ProblemsOf(err); len(ps) != 1 || ps[0].Code != code {
			t.Errorf("%q: got %v, want %s", text, err, code)
		}
	}
	_, warnings, err := ImportEnv(strings.NewReader("OUTPUTS_PATH=${BASE}/out"))
	if err != nil || !strings.Contains(strings.Join(warnings, "\n"), "refers to another variable") || !strings.Contains(strings.Join(warnings, "\n"), CodePath) {
		t.Errorf("%v, %v", warnings, err)
	}
}

func FuzzImportEnv(f *testing.F) {
	f.Add(siteEnv)
	f.Add("SERVERLESS_ENDPOINT_\"]\n=x")
	f.Add("OUTPUTS_PATH='a\x01\"'")
	f.Fuzz(func(t *testing.T, text string) {
		file, _, err := ImportEnv(strings.NewReader(text))
		if err != nil {
			return
		}
		l := newLoader(Options{Env: []string{}})
		if _, _, err := l.load("x.toml", file); err != nil {
			t.Errorf("%v in\n%s", err, file)
		}
	})
}

package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestEffectiveLoadsToAnEqualConfig(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		env  []string
	}{
		"empty":  {"", nil},
		"sample": {sample, []string{"SERVERLESS_API_KEY=sesame", "QMTUI_QUEUE_MODE=fifo", "QMTUI_DEPLOYMENT_H200_KEY=other"}},
		"nodes":  {"[[save_node]]\nclass = 'Keep It'\nfolder = 'where'\nname = 'what'\noff_when = ['keep = no']\nmetadata = true\n[[save_node]]\nclass = 'B'\nnone = 'shows'", nil},
		"header": {"[server]\nuser_header = 'X-Remote-User'\ntrusted_proxies = []\n[auth]\nadmins = []", nil},
		"quotes": {"[users]\noutputs = '/a \"b\" \\ c #é'\nsubfolder = \"tab\\t\"", []string{"QMTUI_SHARE_OUTPUTS=/line\nbreak"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, src := mustLoad(t, c.text, c.env...)
			printed := Effective(cfg, src)
			again, _, err := loadText(t, string(printed), c.env...)
			if err != nil || !reflect.DeepEqual(cfg, again) {
				t.Errorf("%v\nwas   %#v\nbecame %#v\nby\n%s", err, cfg, again, printed)
			}
		})
	}
}

func TestEffectiveSaysWhereFromAndHidesSecrets(t *testing.T) {
	cfg, src := mustLoad(t, sample+"\n[verda]\nclient_secret_env = 'x-hunter2'",
		"SERVERLESS_API_KEY=hunter2", "QMTUI_QUEUE_MODE=fifo", "QMTUI_SERVER_PUBLIC_URL=https://u:hunter2@h/?hunter2")
	printed := string(Effective(cfg, src))
	if strings.Contains(printed, "hunter2") {
		t.Errorf("a secret is in\n%s", printed)
	}
	for _, want := range []string{
		`listen = ":3100"  # file line 3`,
		`mode = "fifo"  # $QMTUI_QUEUE_MODE`,
		`settle = "3s"  # default`,
		`# key: ********  # from $SERVERLESS_API_KEY`,
		`# user_header = "X-Remote-User"  # default`,
		`key_env = "SERVERLESS_API_KEY"  # file line 18`,
	} {
		if !strings.Contains(printed, want+"\n") {
			t.Errorf("%q is not in\n%s", want, printed)
		}
	}
}

func TestEffectiveWithoutFile(t *testing.T) {
	cfg, src, err := Load(options(t))
	if err != nil {
		t.Fatal(err)
	}
	printed := string(Effective(cfg, src))
	for _, want := range []string{"in effect. No file.", "# default, in the state folder", `mode = "fair"  # default`} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in\n%s", want, printed)
		}
	}
}

func TestReferenceDocumentIsFresh(t *testing.T) {
	got, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Reference() {
		t.Error(`docs/configuration.md is stale; run "go generate ./internal/config"`)
	}
}

package fleet

import (
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestNewRefuses(t *testing.T) {
	good := Spec{Name: "a", URL: "https://x.example"}
	for want, list := range map[string][]Spec{
		"no name":             {{URL: "https://x.example"}},
		"not an http":         {{Name: "a", URL: "ftp://x.example"}},
		"two of that name":    {good, good},
		`no driver "magic"`:   {{Name: "a", URL: "https://x.example", Driver: "magic"}},
		"http or https addre": {{Name: "a"}},
	} {
		if _, err := New(Options{Deployments: list}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q in it", err, want)
		}
	}
}

func TestDeploymentsKeepTheirOrderAndNoSecrets(t *testing.T) {
	fl, err := New(Options{Deployments: []Spec{
		{Name: "z", URL: "https://user:pass@x.example/z", Key: "secret", PricePerHour: 0.97, ScaleToZero: true},
		{Name: "a", URL: "http://y.example", Capacity: 3},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := fl.Deployments()
	if len(got) != 2 || got[0].Name != "z" || got[1].Name != "a" || got[1].Capacity != 3 || got[0].Capacity != 1 {
		t.Errorf("deployments = %+v", got)
	}
	z := got[0]
	if strings.Contains(z.URL, "pass") || z.Driver != "comfyui" || z.PricePerHour != 0.97 || !z.ScaleToZero ||
		z.State != job.WarmthUnknown || z.Because != "never asked" {
		t.Errorf("deployment = %+v", z)
	}
}

func TestNoDeployments(t *testing.T) {
	fl, err := New(Options{})
	if err != nil || len(fl.Deployments()) != 0 {
		t.Fatalf("%v", err)
	}
	if _, err := fl.Check("", []byte(workflow), nil); err != nil {
		t.Errorf("Check = %v", err)
	}
	if got := fl.Submit(t.Context(), submission(1)); got.Kind != job.Refused || got.Error.Code != "unknown_deployment" {
		t.Errorf("fact = %+v", got)
	}
}

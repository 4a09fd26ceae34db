package comfy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	for _, c := range []struct{ name, extra, want string }{
		{"nothing", ``, ``},
		{"null", ` null `, ``},
		{"empty", `{}`, `{}`},
		{"tokens", `{"auth_token_comfy_org":"a","api_key_comfy_org":"b","x":1}`, `{"x":1}`},
		{"tokens inside", `{"extra_pnginfo":{"workflow":{"extra":[{"api_key_comfy_org":"b","k":1e2}]}}}`, `{"extra_pnginfo":{"workflow":{"extra":[{"k":1e2}]}}}`},
		{"what the server sets", `{"client_id":{"a":1},"create_time":1,"preview_method":"auto"}`, `{"preview_method":"auto"}`},
		{"null pnginfo", `{"extra_pnginfo":null}`, `{}`},
		{"latin-1 key", `{"extra_pnginfo":{"größe":1}}`, `{"extra_pnginfo":{"größe":1}}`},
		{"no HTML escapes", `{"extra_pnginfo":{"a":"<&>"}}`, `{"extra_pnginfo":{"a":"<&>"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Scrub(json.RawMessage(c.extra))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestScrubRefuses(t *testing.T) {
	for _, c := range []struct{ extra, code, says string }{
		{`[]`, "bad_extra_data", "not an object"},
		{`"x"`, "bad_extra_data", "not an object"},
		{`{`, "bad_extra_data", "not JSON"},
		{`{"extra_pnginfo":[]}`, "bad_extra_data", "extra_pnginfo is not an object"},
		{`{"extra_pnginfo":{"图":1}}`, "bad_extra_data", "latin-1"},
		{`{"extra_pnginfo":{"a\u0000":1}}`, "bad_extra_data", "latin-1"},
		{`{"x":NaN}`, "bad_number", "extra_data contains NaN"},
		{strings.Repeat(`{"x":`, 300), "too_deep", "extra_data nests"},
	} {
		_, err := Scrub(json.RawMessage(c.extra))
		var r *Refusal
		if !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Message, c.says) {
			t.Errorf("%.40s gave %v, want %s with %q", c.extra, err, c.code, c.says)
		}
	}
}

package server

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

func TestConsoleLogsAreLimited(t *testing.T) {
	now := epoch
	h := newServer(t, newFake(), func(o *Options) { o.Now = func() time.Time { return now } }).Handler()
	for range 60 {
		if w := ask(h, "POST", "/api/console-logs", `"x"`); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := ask(h, "POST", "/api/console-logs", `"x"`)
	wantError(t, w, 429, "too_many_logs")
	if w.Header().Get("Retry-After") != "60" {
		t.Errorf("Retry-After: %s", w.Header().Get("Retry-After"))
	}
	now = now.Add(61e9)
	if w := ask(h, "POST", "/api/console-logs", `"x"`); w.Code != 204 {
		t.Errorf("a minute later: %d", w.Code)
	}
}

// said lists what a browser's console put into the log.
func said(l *LogTail) (all []api.LogLine) {
	lines, _, _, _ := l.after(0)
	for _, line := range lines {
		if line.Msg == "browser console" {
			all = append(all, line)
		}
	}
	return all
}

func attrOf(l api.LogLine, key string) string {
	for _, a := range l.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// What the page extension sends becomes a line for each entry, under the name
// of the caller, whatever the body says.
func TestConsoleLogLines(t *testing.T) {
	log, tail := Tailed(slog.New(slog.NewTextHandler(io.Discard, nil)))
	h := newServer(t, newFake(), func(o *Options) { o.Logger, o.Log = log, tail }).Handler()
	body := `{"user":"admin","page_version":"1.35.9","extension_version":"1.0.0","browser":"Firefox","path":"/user001/","dropped":3,"entries":[
		{"at":"2026-01-31T12:00:00.000Z","kind":"error","message":"boom token=s3cr3tvalue\nlevel=ERROR msg=forged","stack":"at a.js:1 password=hunter22","count":4},
		{"kind":"rejection","message":"` + strings.Repeat("long ", 1000) + `"}]}`
	if w := ask(h, "POST", api.PathConsoleLogs, body, "X-Remote-User: user001"); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	lines := said(tail)
	if len(lines) != 3 {
		t.Fatalf("%d lines: %+v", len(lines), lines)
	}
	for key, want := range map[string]string{"user": "user001", "kind": "error", "said": "boom token=[removed]\nlevel=ERROR msg=forged", "times": "4",
		"where": "at a.js:1 password=[removed]", "page": "1.35.9", "extension": "1.0.0", "path": "/user001/", "browser": "Firefox"} {
		if got := attrOf(lines[0], key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := attrOf(lines[1], "said"); len(got) != consoleMessage+3 {
		t.Errorf("%d bytes of a long one", len(got))
	}
	if got := attrOf(lines[2], "said"); got != "3 more that are not told" {
		t.Errorf("what was kept back: %q", got)
	}
}

// A message has many entries, and a minute not more lines than it has.
func TestConsoleLogLinesAreLimited(t *testing.T) {
	log, tail := Tailed(slog.New(slog.NewTextHandler(io.Discard, nil)))
	h := newServer(t, newFake(), func(o *Options) { o.Logger, o.Log = log, tail }).Handler()
	entries := make([]consoleEntry, 2*consoleLines)
	for i := range entries {
		entries[i] = consoleEntry{Kind: "error", Message: fmt.Sprint("boom ", i)}
	}
	body := mustJSON(t, consoleLog{Entries: entries})
	for n, want := range []int{204, 429} {
		if w := ask(h, "POST", api.PathConsoleLogs, body, "X-Remote-User: user001"); w.Code != want {
			t.Errorf("message %d: %d %s", n, w.Code, w.Body)
		}
	}
	lines := said(tail)
	if len(lines) > consoleLines+1 || attrOf(lines[len(lines)-1], "said") != fmt.Sprintf("%d more that are not told", len(entries)-len(lines)+1) {
		t.Errorf("%d lines, the last %+v", len(lines), lines[len(lines)-1])
	}
	if w := ask(h, "POST", api.PathConsoleLogs, `{"message":"another user"}`, "X-Remote-User: user002"); w.Code != 204 {
		t.Errorf("another user: %d", w.Code)
	}
}

// The list is the extension's own.
func TestSecretsAreTakenOut(t *testing.T) {
	raw, err := os.ReadFile("../../assets/queue_redirect/test/secrets.json")
	check(t, err)
	var secrets [][2]string
	check(t, json.Unmarshal(raw, &secrets))
	if len(secrets) < 10 {
		t.Fatalf("only %d secrets", len(secrets))
	}
	for _, s := range secrets {
		if got := scrubbed(s[0], 1000); strings.Contains(got, s[1]) {
			t.Errorf("%q becomes %q", s[0], got)
		}
	}
	plain := "TypeError: Cannot read properties of undefined (reading 'widgets') at http://site/user001/assets/index-azSeANjR.js:12:34"
	if got := scrubbed(plain, 1000); got != plain {
		t.Errorf("ordinary words become %q", got)
	}
	if got := scrubbed("\u20ac\u20ac\u20ac", 4); got != "\u20ac..." {
		t.Errorf("cut to %q", got)
	}
}

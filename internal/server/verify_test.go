package server

import (
	"strings"
	"testing"
)

// What nginx 1.26 makes of an address, after its ngx_http_parse_complex_uri.
func TestNginxPath(t *testing.T) {
	for uri, want := range map[string]string{
		"/":                        "/",
		"/user003/":                "/user003/",
		"/user003":                 "/user003",
		"/user003/a?b=/../c":       "/user003/a",
		"/user003/a#b":             "/user003/a",
		"/user003/./a":             "/user003/a",
		"/user003/../user004/":     "/user004/",
		"/user003/%2e%2e/user004/": "/user004/",
		"/user003/%2E%2e/user004/": "/user004/",
		"/user003/..%2fuser004/":   "/user004/",
		"/user003%2f..%2Fuser004/": "/user004/",
		"//user003///a//":          "/user003/a/",
		"/%2fuser003":              "/user003",
		"/user003/..":              "/",
		"/user003/a/..":            "/user003/",
		"/user003/.":               "/user003/",
		"/user003/...":             "/user003/...",
		"/user003/.a/b.":           "/user003/.a/b.",
		"/%75ser003/":              "/user003/",
		"/user003/%252e%252e/x":    "/user003/%2e%2e/x",
		"/user003/a%3fb%23c%25d":   "/user003/a?b#c%d",
		"/user003;x/":              "/user003;x/",
		"/USER003/":                "/USER003/",
		"/user003/w%2Ff.json":      "/user003/w/f.json",
		`/user003\..\user004`:      `/user003\..\user004`,
		"/a/b/../../c":             "/c",
		"/a/%2e/b":                 "/a/b",
		"/\xc3\xa9":                "/\xc3\xa9",
	} {
		if got, ok := nginxPath(uri); !ok || got != want {
			t.Errorf("%q: %q %v, want %q", uri, got, ok, want)
		}
	}
	for _, uri := range []string{"", "user003", "http://x/user003/", "*", "/..", "/../a", "/a/../..", "/a/../../b", "/%2e%2e/", "/%", "/%2", "/%zz", "/%00", "/a b", "/a\tb", "/a\x7f", "/a\n"} {
		if got, ok := nginxPath(uri); ok {
			t.Errorf("%q is taken for %q", uri, got)
		}
	}
}

func TestVerify(t *testing.T) {
	world := newLoginWorld(t)
	world.passwords("user003", goodSecret, "user004", goodSecret, "admin", goodSecret)
	s := world.server(newFake(), nil)
	h := s.Handler()
	own, admin := world.mint(s, "user003", world.now), world.mint(s, "admin", world.now)
	for uri, want := range map[string][2]int{ // for user003, for the admin
		"/user003/":                         {204, 204},
		"/user003":                          {204, 204},
		"/user003?x=/user004/":              {204, 204},
		"/user003/api/userdata/w%2Ff.json":  {204, 204},
		"/user003/view?filename=%2e%2e%2fx": {204, 204},
		"/user003/caf%C3%A9%20(1).png":      {204, 204},
		"/user003/a//b":                     {204, 204},
		"/user003/100%25.png":               {204, 204},
		"/":                                 {204, 204},
		"/?a=b":                             {204, 204},
		"/api/jobs?user_id=user004":         {204, 204}, // which looks for itself
		"/ws":                               {204, 204},
		"/auth/login":                       {204, 204},
		"/comfy/user003/prompt":             {204, 204},
		"/comfy/user003":                    {204, 204},
		"/user004/":                         {403, 204},
		"/user004":                          {403, 204},
		"/user004?x":                        {403, 204},
		"/comfy/user004/prompt":             {403, 204},
		"/comfy/":                           {403, 204},
		"/comfy":                            {403, 204},
		"/USER003/":                         {403, 204},
		"/User004/":                         {403, 204},
		"/API/jobs":                         {403, 204},
		"/user0030/":                        {403, 204},
		"/user003;a=b/":                     {403, 204},
		"/user003%3b/":                      {403, 403},
		"/user003../x":                      {403, 204},
		"/unknown/":                         {403, 204},
		"/\uff55ser003/":                    {403, 204}, // a wide u, as it stands
		"/%EF%BD%95ser003/":                 {403, 403}, // and encoded
		"/user003\u200b/":                   {403, 204},
		"/user003%E2%80%8B/":                {403, 403},
		"/user003%C0%AF..%C0%AFuser004/":    {403, 403}, // slashes in too many bytes
		"/user003/%C0%AE%C0%AE/user004/":    {204, 204}, // no dots to anybody who reads UTF-8
		"/user003;/../user004/":             {403, 403},
		"/user003/;/user004/":               {204, 204},
		"/;/user003/":                       {403, 204},
		"/user003%20/":                      {403, 403},
		"/user003/../user004/":              {403, 403},
		"/user003/%2e%2e/user004/":          {403, 403},
		"/user003/..%2fuser004/":            {403, 403},
		"/user003/..%5cuser004/":            {403, 403},
		`/user003/..\user004/`:              {403, 403},
		"/user003/%252e%252e/user004/":      {403, 403},
		"/user003/..;/user004/":             {403, 403},
		"/user004/../user003/":              {403, 403},
		"/user004%2f..%2fuser003/":          {403, 403},
		"/user003/.":                        {403, 403},
		"/user003/./x":                      {403, 403},
		"//user003/":                        {403, 403},
		"//user004/":                        {403, 403},
		"/%2fuser003/":                      {403, 403},
		"/user00%33/":                       {403, 403},
		"/user00%34/":                       {403, 403},
		"/comfy%2fuser003/":                 {403, 403},
		"/comfy//user003/":                  {403, 403},
		"/comfy/user00%33/":                 {403, 403},
		"/user003/%00":                      {403, 403},
		"/user003/%0a":                      {403, 403},
		"/user003/#/user004/":               {403, 403},
		"http://film.example/user003/":      {403, 403},
		"user003/":                          {403, 403},
		"/%":                                {403, 403},
		"":                                  {403, 403},
	} {
		for i, cookie := range []string{own, admin} {
			w := askFrom(h, afar, "GET", "/auth/verify", "", cookie, "X-Original-URI: "+uri)
			if w.Code != want[i] {
				t.Errorf("%q by %s: %d %s, want %d", uri, []string{"user003", "admin"}[i], w.Code, w.Body, want[i])
			}
			if got := w.Header().Get("X-Remote-User"); (got != "") != (w.Code == 204) || w.Code == 204 && got != []string{"user003", "admin"}[i] {
				t.Errorf("%q: X-Remote-User %q with %d", uri, got, w.Code)
			}
		}
	}
	wantError(t, askFrom(h, afar, "GET", "/auth/verify", "", own), 403, "not_yours")
	wantError(t, askFrom(h, afar, "GET", "/auth/verify", "", own, "X-Original-URI: /user003/", "X-Original-URI: /user004/"), 403, "not_yours")
	wantError(t, askFrom(h, afar, "GET", "/auth/verify", "", "X-Original-URI: /user003/"), 401, "login_required")
	wantError(t, ask(newServer(t, newFake(), nil).Handler(), "GET", "/auth/verify", "", "X-Original-URI: /user003/"), 401, "login_required")
}

func FuzzVerifyPath(f *testing.F) {
	for _, uri := range []string{"/user003/", "/user003/%2e%2e/user004/", "//user004", "/comfy/user004/x", "/user003/..%2fuser004", "/a/./b?c", "/%75ser004/"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		path, ok := nginxPath(uri)
		if !ok {
			return
		}
		if strings.Contains(path, "//") || !strings.HasPrefix(path, "/") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
			t.Errorf("%q: %q is not resolved", uri, path)
		}
		if owner := ownerOf(path); !doubtful(uri, path) && owner != "" && !strings.HasPrefix(uri, "/"+owner) && !strings.HasPrefix(uri, "/comfy/"+owner) {
			t.Errorf("%q belongs to %q, and does not say so plainly", uri, owner)
		}
	})
}

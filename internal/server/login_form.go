package server

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const loginBody = 16 << 10 // bytes

// loginRequest is what somebody sends who logs in.
type loginRequest struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Next     string `json:"next"`

	form bool // by the page's form, so that people read the answer
}

// readLogin reads a form or JSON.
func readLogin(r *request) (loginRequest, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		var body loginRequest
		return body, r.decode(loginBody, &body, true)
	}
	v, err := readForm(r)
	return loginRequest{User: v.Get("user"), Password: v.Get("password"), Next: v.Get("next"), form: true}, err
}

// readForm reads a form as a browser sends it.
func readForm(r *request) (url.Values, error) {
	raw, err := r.readBody("the form", loginBody)
	if err != nil {
		return nil, err
	}
	v, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, badField("the form", "is not one", "use the page at /auth/login")
	}
	return v, nil
}

// wantsPage reports whether a person's browser asks, and not a program.
func wantsPage(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded"
}

// safeNext is where to go after the login: a path of this site and nothing
// that a browser could take for another one; empty for anything else.
func safeNext(text string) string {
	if len(text) > 2000 || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") ||
		strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return ""
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." { // what is left when they are resolved may begin with two slashes
			return ""
		}
	}
	return text
}

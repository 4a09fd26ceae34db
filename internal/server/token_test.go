package server

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	token, err := AddToken(dir, Token{User: "user001", Name: "nightly", Created: epoch})
	if err != nil || !strings.HasPrefix(token, tokenPrefix) {
		t.Fatalf("%q %v", token, err)
	}
	other, err := AddToken(dir, Token{User: "user002", Name: "nightly", Created: epoch})
	if err != nil || other == token {
		t.Fatalf("%q %v", other, err)
	}
	raw, _ := os.ReadFile(filepath.Join(dir, tokenFile))
	info, err := os.Stat(filepath.Join(dir, tokenFile))
	if err != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(raw), token) || strings.Contains(string(raw), token[len(tokenPrefix):]) {
		t.Errorf("%v %s %v", info.Mode(), raw, err)
	}
	_, err = AddToken(dir, Token{User: "user001", Name: "nightly", Created: epoch})
	wantCode(t, err, "token_exists")
	_, err = AddToken(dir, Token{User: "user001", Name: "../x", Created: epoch})
	wantCode(t, err, "bad_field")
	_, err = AddToken(dir, Token{User: "../x", Name: "nightly", Created: epoch})
	wantCode(t, err, "bad_user")
	_, err = RevokeTokens(dir, "user001", "weekly")
	wantCode(t, err, "no_such_token")
	if n, err := RevokeTokens(dir, "user001", "nightly"); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := RevokeTokens(dir, "user001", ""); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	all, err := Tokens(dir)
	if err != nil || len(all) != 1 || all[0].User != "user002" || all[0].Name != "nightly" || !all[0].Created.Equal(epoch) {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := AddToken(dir, Token{User: "user003", Name: "wall", Created: epoch, ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	if all, err = Tokens(dir); err != nil || len(all) != 2 || all[0].ReadOnly || !all[1].ReadOnly {
		t.Errorf("%+v %v", all, err)
	}
	if none, err := Tokens(t.TempDir()); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
}

func TestTooManyTokens(t *testing.T) {
	var all []string
	for range maxTokens {
		all = append(all, `{"user":"user001","name":"n","created_at":"2026-01-31T12:00:00Z","sha256":"`+strings.Repeat("0", 64)+`"}`)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, tokenFile), []byte(`{"tokens":[`+strings.Join(all, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := AddToken(dir, Token{User: "user001", Name: "one-more", Created: epoch})
	wantCode(t, err, "too_many_tokens")
	if _, err := AddToken(dir, Token{User: "user002", Name: "one", Created: epoch}); err != nil {
		t.Error(err)
	}
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	for _, text := range []string{"", "[]", `{"tokens":[{"user":"../x","sha256":"` + strings.Repeat("0", 64) + `"}]}`, `{"tokens":[{"user":"user001","sha256":""}]}`, `{"tokens":[{"user":"admin","token":"x"}]}`} {
		_, err := parseTokens([]byte(text))
		wantCode(t, err, "bad_token_file")
		if tokens, err := byHash([]byte(text)); len(tokens) > 0 || err == nil {
			t.Errorf("%q lets %v in", text, tokens)
		}
	}
}

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		headers []string
		token   string
		given   bool
	}{
		{nil, "", false}, {[]string{"Bearer x"}, "x", true}, {[]string{"bearer  x "}, "x", true}, {[]string{"Bearer"}, "", true}, {[]string{"Basic dXNlcjp4"}, "", false},
		{[]string{"Bearer x", "Bearer y"}, "", true}, {[]string{"Basic x", "Bearer y"}, "", true}, {[]string{"BearerX"}, "", false},
	} {
		token, given := bearer(http.Header{"Authorization": c.headers})
		if token != c.token || given != c.given {
			t.Errorf("%q: %q %v", c.headers, token, given)
		}
	}
}

func FuzzToken(f *testing.F) {
	good := newToken()
	for _, text := range []string{good, good + "=", good[:len(good)-1], strings.TrimPrefix(good, tokenPrefix), "", tokenPrefix, good + "\n", tokenPrefix + strings.Repeat("A", 42) + "B"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hash, ok := hashToken(text)
		if !ok && hash != "" || ok && (!tokenHash.MatchString(hash) || len(text) != len(good) || strings.ContainsAny(text, " \n\r=+/")) {
			t.Errorf("%q: %q %v", text, hash, ok)
		}
		token, given := bearer(http.Header{"Authorization": {"Bearer " + text}})
		if !given || token != strings.TrimSpace(text) {
			t.Errorf("%q is read as %q %v", text, token, given)
		}
	})
}

func FuzzTokenFile(f *testing.F) {
	f.Add([]byte(`{"tokens":[{"user":"user001","name":"n","created_at":"2026-01-31T12:00:00Z","sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tokens, err := byHash(raw)
		for hash, token := range tokens {
			if err != nil || !tokenHash.MatchString(hash) || strings.ContainsAny(token.User, "/.") || token.User == "" {
				t.Errorf("%q: %q %v", hash, token.User, err)
			}
		}
	})
}

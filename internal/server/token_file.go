package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// tokenFile is the name in the state folder of the file that holds the tokens.
const tokenFile = "tokens.json"

// maxTokens is how many one user may have.
const maxTokens = 100

// Token is what is kept of a bearer token. The token itself is not.
type Token struct {
	User    string    `json:"user"`
	Name    string    `json:"name"` // unique for the user
	Created time.Time `json:"created_at"`
	// ReadOnly tokens may look at what their user sees, and change nothing.
	ReadOnly bool `json:"read_only,omitempty"`
	// Hash is the SHA-256 of the token, in hex.
	Hash string `json:"sha256"`
}

type tokenDocument struct {
	Tokens []Token `json:"tokens"`
}

var (
	tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	tokenHash = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Tokens lists the tokens that are kept in a state folder, sorted by user and
// name. The manager reads the same file, and again whenever it changes.
func Tokens(dir string) ([]Token, error) {
	raw, err := readAuthFile(filepath.Join(dir, tokenFile))
	if err != nil {
		return nil, badTokenFile(err)
	}
	return parseTokens(raw)
}

// AddToken makes the token t, whose User, Name, Created and ReadOnly count, and
// returns its secret. This is the only time that it can be seen: the file holds
// a hash.
func AddToken(dir string, t Token) (string, error) {
	if err := job.CheckUser(t.User); err != nil {
		return "", err
	}
	if !tokenName.MatchString(t.Name) {
		return "", badField("the token's name", fmt.Sprintf("is %.40q", t.Name), "use 1 to 64 letters, digits, '.', '_' or '-'")
	}
	secret := newToken()
	t.Hash, _ = hashToken(secret)
	t.Created = t.Created.UTC().Truncate(time.Second)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", unwritableAuth(dir, err)
	}
	return secret, editTokens(dir, func(all []Token) ([]Token, error) { return addToken(all, t) })
}

func addToken(all []Token, t Token) ([]Token, error) {
	own := 0
	for _, o := range all {
		if o.User == t.User {
			own++
		}
		if o.User == t.User && o.Name == t.Name {
			return nil, &job.Error{Code: "token_exists", Class: job.Conflict, Message: fmt.Sprintf("%s has a token called %s already", t.User, t.Name), Hint: "give it another --name, or --revoke that one first"}
		}
	}
	if own >= maxTokens {
		return nil, &job.Error{Code: "too_many_tokens", Class: job.TooMany, Message: fmt.Sprintf("%s has %d tokens already", t.User, own), Hint: "--revoke one first"}
	}
	return append(all, t), nil
}

// RevokeTokens ends the token of that name, or all of the user's when the name
// is empty, and says how many. Streams that they opened end within seconds.
func RevokeTokens(dir, user, name string) (n int, err error) {
	if all, err := Tokens(dir); err == nil && name == "" && !slices.ContainsFunc(all, func(t Token) bool { return t.User == user }) {
		return 0, nil
	}
	err = editTokens(dir, func(all []Token) ([]Token, error) {
		left := slices.DeleteFunc(slices.Clone(all), func(t Token) bool { return t.User == user && (name == "" || t.Name == name) })
		if n = len(all) - len(left); n == 0 && name != "" {
			return nil, &job.Error{Code: "no_such_token", Class: job.NotFound, Message: fmt.Sprintf("%s has no token called %s", user, name), Hint: `see "qmtui users token --list"`}
		}
		return left, nil
	})
	return n, err
}

func editTokens(dir string, change func([]Token) ([]Token, error)) error {
	return rewrite(filepath.Join(dir, tokenFile), dir, func(old []byte) ([]byte, error) {
		all, err := parseTokens(old)
		if err != nil {
			return nil, err
		}
		if all, err = change(all); err != nil {
			return nil, err
		}
		text, err := json.MarshalIndent(tokenDocument{append([]Token{}, all...)}, "", "  ")
		return append(text, '\n'), err
	})
}

// parseTokens reads the file; one that is damaged holds no token.
func parseTokens(raw []byte) ([]Token, error) {
	if raw == nil {
		return nil, nil
	}
	var doc tokenDocument
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, badTokenFile(err)
	}
	for _, t := range doc.Tokens {
		if job.CheckUser(t.User) != nil || !tokenHash.MatchString(t.Hash) {
			return nil, badTokenFile(fmt.Errorf("token %.40q of %.40q is damaged", t.Name, t.User))
		}
	}
	slices.SortFunc(doc.Tokens, func(a, b Token) int { return strings.Compare(a.User+"\x00"+a.Name, b.User+"\x00"+b.Name) })
	return doc.Tokens, nil
}

func badTokenFile(err error) error {
	if isOpen(err) {
		return err
	}
	return &job.Error{Code: "bad_token_file", Class: job.Invalid, Message: "the tokens cannot be read: " + err.Error(), Hint: "put " + tokenFile + " of a backup in its place, or remove it and make new tokens"}
}

// byHash are the tokens by hash.
func byHash(raw []byte) (map[string]Token, error) {
	all, err := parseTokens(raw)
	tokens := make(map[string]Token, len(all))
	for _, t := range all {
		tokens[t.Hash] = t
	}
	return tokens, err
}

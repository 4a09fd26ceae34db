package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// A token is its prefix, which lets people and scanners know it when they see
// it, and 32 random bytes. Nobody guesses these, so a plain hash of it is kept.
const (
	tokenPrefix = "qmt_"
	tokenBytes  = 32
)

func newToken() string {
	secret := make([]byte, tokenBytes)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
}

// hashToken is what is kept of a token; false for a text that is none.
func hashToken(text string) (string, bool) {
	secret, ok := strings.CutPrefix(text, tokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if !ok || err != nil || len(raw) != tokenBytes || base64.RawURLEncoding.EncodeToString(raw) != secret {
		return "", false
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), true
}

// bearer is the token of a request; given says that there is one, good or not.
// Other schemes are a proxy's (it may ask for a password itself) and not ours.
func bearer(h http.Header) (token string, given bool) {
	values := h.Values("Authorization")
	for _, v := range values {
		if scheme, rest, _ := strings.Cut(v, " "); strings.EqualFold(scheme, "Bearer") {
			token, given = strings.TrimSpace(rest), true
		}
	}
	if len(values) > 1 {
		return "", given // which is meant, nobody knows
	}
	return token, given
}

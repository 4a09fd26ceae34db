package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// renewBefore is how long before its end a token is replaced.
const renewBefore = time.Minute

// token is an access token of OAuth2's client credentials grant (RFC 6749, 4.4).
type token struct {
	text  string
	until time.Time // zero: not known, so it holds until it is refused
}

func (t token) good(now time.Time) bool {
	return t.text != "" && (t.until.IsZero() || now.Before(t.until))
}

// access is a token that holds. refused is one that the API turned down: it is
// replaced even if its time is not over.
func (c *control) access(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.good(c.now()) && c.token.text != refused {
		return c.token.text, nil
	}
	t, err := c.logIn(ctx)
	if err != nil {
		return "", err
	}
	c.token = t
	return t.text, nil
}

// logIn asks for a fresh token, in JSON as the vendor's own SDK does.
func (c *control) logIn(ctx context.Context) (token, error) {
	body, err := json.Marshal(map[string]string{"grant_type": "client_credentials", "client_id": c.account.ClientID, "client_secret": c.account.Secret})
	if err != nil {
		return token{}, fmt.Errorf("write the log-in: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/oauth2/token", bytes.NewReader(body))
	if err != nil {
		return token{}, fmt.Errorf("log in to the control API: %w", err)
	}
	a, err := c.send(req)
	if err != nil {
		return token{}, fmt.Errorf("log in to the control API: %w", err)
	}
	return c.readToken(a.body)
}

// readToken takes a minute, or a tenth where that is less, off the token's life.
func (c *control) readToken(body []byte) (token, error) {
	var wire struct {
		Token   string  `json:"access_token"`
		Expires float64 `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(body, &wire); err != nil || wire.Token == "" {
		return token{}, &ControlError{Code: "no_token", Message: "the control API answered a log-in without a token"}
	}
	out := token{text: wire.Token}
	if life := min(max(wire.Expires, 0), 1e7); life > 0 {
		whole := time.Duration(life * float64(time.Second))
		out.until = c.now().Add(whole - min(renewBefore, whole/10))
	}
	return out, nil
}

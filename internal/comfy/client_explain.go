package comfy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// explain turns a status that ComfyUI itself did not explain into code, sentence and
// next step.
func explain(status int, body []byte) (code, message, hint string) {
	said := fmt.Sprintf("the endpoint answered %d", status)
	if text := excerpt(string(body)); text != "" {
		said += fmt.Sprintf(" (%s)", text)
	}
	switch {
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed ||
		status == http.StatusUnauthorized || status == http.StatusForbidden:
		// Serverless platforms answer 404 for a missing key as well.
		return "endpoint_or_key", said, "check the deployment's url and its key"
	case status >= 300 && status < 400:
		return "endpoint_or_key", said + ", a redirect, which is not followed", "set the deployment's url to where it leads"
	case status == http.StatusRequestEntityTooLarge:
		return "too_large", said, "make the workflow smaller; ComfyUI takes 100 MiB, a proxy may take less"
	case later(status):
		return "busy", said, "it can be sent again later"
	case status >= 500 || status == http.StatusRequestTimeout:
		// Some gateways say 408 when the machine behind them was too slow.
		return "server_error", said, ""
	}
	return "refused", said, ""
}

// later reports the statuses that say "not now" and promise that nothing was done.
func later(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusTooEarly:
		return true
	}
	return false
}

// excerpt makes one short line of a foreign text. Control and format characters are
// dropped.
func excerpt(body string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, body)
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > 200 {
		return string(line[:200]) + "..."
	}
	return string(line)
}

// retryAfter reads the header in either form, seconds or date; between 0 and an hour.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), time.Hour)
}

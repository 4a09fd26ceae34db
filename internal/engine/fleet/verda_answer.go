package fleet

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// heldAnswer is an answer of /status or /result with its body read.
type heldAnswer struct {
	code       int
	header     http.Header
	body       []byte
	retryAfter time.Duration
}

func fetchHeld(h *http.Client, req *http.Request) (heldAnswer, error) {
	resp, err := h.Do(req)
	if err != nil {
		return heldAnswer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, heldBody))
	return heldAnswer{code: resp.StatusCode, header: resp.Header, body: body, retryAfter: retryAfter(resp.Header, time.Minute)}, err
}

// retryAfter reads the header, in seconds or as a time (RFC 9110, 10.2.3), which
// is held against the answer's own Date: the clocks may differ. Between zero and most.
func retryAfter(h http.Header, most time.Duration) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(0, min(n, 1<<20)))*time.Second, most)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), most)
}

// stage reads {"Status": "Queue"}; empty when the answer says nothing of the kind.
func (a heldAnswer) stage() Stage {
	var wire struct {
		Status string `json:"Status"`
	}
	if json.Unmarshal(a.body, &wire) != nil {
		return ""
	}
	return Stage(oneLine(wire.Status))
}

// ofContainer reports a status that ComfyUI gives to a POST /prompt (0.8.0,
// transcripts 02-prompt-ok, 03-prompt-errors). Any other is the platform's own.
func (a heldAnswer) ofContainer() bool {
	return slices.Contains([]int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusInternalServerError}, a.code)
}

// response is the answer as the container gave it. A platform may hand on the
// body of a refusal with a status of its own: a 200 with an error and no
// prompt id was a 400.
func (a heldAnswer) response() *http.Response {
	code := a.code
	if r := readHeld(a.body); code == http.StatusOK && !r.plain() && len(r.Error) > 0 {
		code = http.StatusBadRequest
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body))}
}

// oneLine makes a short printable line of a platform's text.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	short := []rune(strings.Join(strings.Fields(text), " "))
	return string(short[:min(len(short), 80)])
}

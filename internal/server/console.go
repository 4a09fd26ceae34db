package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// Bounds of what a browser may put into our log.
const (
	consoleBody    = 64 << 10 // bytes of one message
	consoleLines   = 60       // in a minute, of one user at one address
	consoleMessage = 1000     // bytes kept of what was said
	consoleStack   = 1500     // bytes kept of where
)

// consoleLog is what the page extension sends. Other bodies are told as they are.
type consoleLog struct {
	Page      string         `json:"page_version"`
	Extension string         `json:"extension_version"`
	Browser   string         `json:"browser"`
	Path      string         `json:"path"`
	Entries   []consoleEntry `json:"entries"`
	Dropped   int            `json:"dropped"` // entries that the page kept back
}

type consoleEntry struct {
	At      string `json:"at"`
	Kind    string `json:"kind"` // error, rejection or console.error
	Message string `json:"message"`
	Stack   string `json:"stack"`
	Count   int    `json:"count"`
}

// consoleLogs takes what a browser's console said and puts it into our log: as
// text and nothing more, a line for each entry, without what looks like a secret.
func (s *Server) consoleLogs(w http.ResponseWriter, r *request) error {
	key := r.who.Name + "@" + peerIP(r.RemoteAddr).String()
	if ok, wait := s.console.allow(key); !ok {
		return &job.Error{Code: "too_many_logs", Class: job.TooMany, Message: "this browser has logged enough for now",
			RetryAfter: int(math.Ceil(wait.Seconds())), Hint: "wait a minute"}
	}
	var said rawJSON
	if err := r.decode(consoleBody, &said, false); err != nil {
		return err
	}
	var l consoleLog
	if json.Unmarshal(said, &l) != nil || len(l.Entries) == 0 {
		s.log.Info("browser console", "user", r.who.Name, "peer", r.RemoteAddr, "said", scrubbed(string(said), consoleMessage+consoleStack))
		return writeNothing(w)
	}
	s.noteConsole(r, key, l)
	return writeNothing(w)
}

// noteConsole writes entries as long as the caller may; the first is paid for.
func (s *Server) noteConsole(r *request, key string, l consoleLog) {
	dropped := max(0, l.Dropped)
	for i, e := range l.Entries {
		if ok, _ := s.console.allow(key); i > 0 && !ok {
			dropped += len(l.Entries) - i
			break
		}
		s.log.Info("browser console", "user", r.who.Name, "kind", short(e.Kind), "said", scrubbed(e.Message, consoleMessage),
			"times", max(1, e.Count), "at", short(e.At), "where", scrubbed(e.Stack, consoleStack),
			"page", short(l.Page), "extension", short(l.Extension), "path", scrubbed(l.Path, 200), "browser", scrubbed(l.Browser, 300), "peer", r.RemoteAddr)
	}
	if dropped > 0 {
		s.log.Info("browser console", "user", r.who.Name, "said", fmt.Sprintf("%d more that are not told", dropped), "peer", r.RemoteAddr)
	}
}

// short is a word that a browser says of itself.
func short(text string) string { return strings.ToValidUTF8(text[:min(len(text), 60)], "") }

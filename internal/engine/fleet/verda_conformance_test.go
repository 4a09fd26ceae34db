package fleet

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// platformed puts a platform that holds POSTs before the deployment that f
// plays. Only what reaches the deployment counts as a request to it.
type platformed struct {
	f  *fake
	mu sync.Mutex
	at map[string]*httptest.ResponseRecorder // what the container answered, by inference
}

func (p *platformed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Inference-Id")
	switch {
	case r.URL.Path == "/status/h200":
		fmt.Fprintf(w, `{"Id":%q,"Status":"Completed"}`, id)
	case r.URL.Path == "/result/h200":
		p.mu.Lock()
		got := p.at[id]
		p.mu.Unlock()
		for k, v := range got.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
	case r.Header.Get("Prefer") == "respond-async":
		p.mu.Lock()
		got := p.at[id]
		p.mu.Unlock()
		if got == nil { // an id that it knows is not passed on again
			got = httptest.NewRecorder()
			p.pass(got, r)
			p.mu.Lock()
			p.at[id] = got
			p.mu.Unlock()
		}
		if got.Code == http.StatusNotFound || got.Code >= 429 { // the platform's own trouble comes at once
			w.WriteHeader(got.Code)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"Id":"`+id+`","StatusPath":"/status/h200","ResultPath":"/result/h200"}`)
	default:
		p.pass(w, r)
	}
}

func (p *platformed) pass(w http.ResponseWriter, r *http.Request) {
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/h200")
	p.f.note(r.Method + " " + r.URL.Path)
	p.f.serve(w, r)
}

func TestVerdaDriver(t *testing.T) {
	for name, held := range map[string]bool{"held by the platform": true, "passed on unread": false} {
		t.Run(name, func(t *testing.T) {
			testDriver(t, func(t *testing.T, f *fake) driver {
				p := &platformed{f: f, at: map[string]*httptest.ResponseRecorder{}}
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != "Bearer secret" {
						t.Errorf("%s without its key", r.URL.Path)
					}
					if !held {
						p.pass(w, r)
						return
					}
					p.ServeHTTP(w, r)
				}))
				t.Cleanup(srv.Close)
				d, err := newDriver(Spec{Name: "x", Driver: "verda", URL: srv.URL + "/h200", Key: "secret"}, Options{}.withDefaults())
				if err != nil {
					t.Fatal(err)
				}
				return d
			})
		})
	}
}

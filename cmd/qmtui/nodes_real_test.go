package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// onlyWorkers are a checkpoint and a node class that no page's ComfyUI has.
const (
	onlyCheckpoint = "only-the-workers.safetensors"
	onlyClass      = "QmtuiWorkersOnly"
)

// TestRealComfyUIPageNodes: pages whose own ComfyUI has no model and no custom
// node offer those of the workers, and what is chosen there is rendered. Both
// the pages and the worker are real ComfyUI servers.
func TestRealComfyUIPageNodes(t *testing.T) { playExtended(t, "nodes.mjs") }

// TestRealComfyUIPageNodesFaced is the same without the extension, behind the
// nginx that is shipped.
func TestRealComfyUIPageNodesFaced(t *testing.T) { playFaced(t, "nodes.mjs") }

// TestRealComfyUIPageKinds: every kind of output is shown in its node.
func TestRealComfyUIPageKinds(t *testing.T) { playExtended(t, "kinds.mjs") }

// TestRealComfyUIPageKindsFaced is the same without the extension.
func TestRealComfyUIPageKindsFaced(t *testing.T) { playFaced(t, "kinds.mjs") }

// playExtended plays a scenario with a real worker and a real page that has the extension.
func playExtended(t *testing.T, scenario string) {
	t.Helper()
	comfyUI := findCheckout(t)
	b := findBrowser(t)
	var worker *replica
	var pages []*replica
	s := openPageSite(t, func(s *pageSite) http.Handler {
		h, all := userPages(s, comfyUI, "user001")
		pages = all
		return h
	}, func(p *plan) { worker = comfyUI.startWorker(t, p) })
	worker.ready(t)
	lacksWorkersNodes(t, pages)
	b.play(t, scenario, s.front.URL, (&nodesHand{hand{s.site, nil, &s.local}, "extension"}).serve)
}

// playFaced plays it without the extension, behind the nginx that is shipped.
func playFaced(t *testing.T, scenario string) {
	t.Helper()
	comfyUI := findCheckout(t)
	b := findBrowser(t)
	var worker *replica
	var pages []*replica
	w := openWorkshop(t, workshopPlan{users: 1, faced: true,
		change: func(p *plan) {
			p.config.Users.Subfolder = ""
			worker = comfyUI.startWorker(t, p)
		},
		page: func(s *site, user string) string {
			page := comfyUI.startPage(s.T, freePorts(s.T, 1)[0], s.mkdir(s.T, filepath.Join("users", user)), nil)
			pages = append(pages, page)
			return page.url.Host
		}})
	worker.ready(t)
	lacksWorkersNodes(t, pages)
	b.play(t, scenario, w.url, (&nodesHand{hand{w.site, nil, new(atomic.Int64)}, "face"}).serve)
}

// nodesHand also wakes the worker by a first job, and says how the page gets there.
type nodesHand struct {
	hand
	way string
}

func (h *nodesHand) serve(ask string) string {
	switch ask {
	case "wake":
		j := h.submit("user001", saving("first"))
		h.awaitEnd(j.ID, job.Done)
		h.eventually("the workers' nodes are known", func() bool {
			all, err := h.client.Workers(h.Context())
			check(h.T, err)
			return all[0].Nodes > 0
		})
		return "done"
	case "way":
		return h.way
	}
	return h.hand.serve(ask)
}

// startWorker makes a real ComfyUI the only worker of a site, with a model and
// a custom node that the pages lack, and with files of somebody in its input folder.
func (c checkout) startWorker(t *testing.T, p *plan) *replica {
	t.Helper()
	orFatal(t, os.MkdirAll(p.config.Share.Outputs, 0o755))
	worker := c.startWith(t, freePorts(t, 1)[0], p.config.Share.Outputs, false, func(dir string) []string {
		checkpoints := filepath.Join(dir, "checkpoints")
		orFatal(t, os.Mkdir(checkpoints, 0o755))
		orFatal(t, os.WriteFile(filepath.Join(checkpoints, onlyCheckpoint), []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o644))
		paths, err := json.Marshal(map[string]any{"models": map[string]string{"checkpoints": checkpoints}})
		orFatal(t, err)
		file := filepath.Join(dir, "models.yaml")
		orFatal(t, os.WriteFile(file, paths, 0o644))
		return []string{"--extra-model-paths-config", file}
	}, func(dir string) {
		for _, name := range []string{"of-somebody.png", "of-somebody.latent", "qm/user002/x/input/of-somebody.png"} {
			putPicture(t, filepath.Join(dir, "input", name))
		}
		code, err := os.ReadFile("testdata/real/workers_only.py")
		orFatal(t, err)
		orFatal(t, os.WriteFile(filepath.Join(customNodes(dir), "workers_only.py"), code, 0o644))
	})
	d := &p.config.Deployments[0]
	d.URL, d.Key, d.ScaleToZero, d.Capacity = worker.url.String(), config.Secret(""), false, 1
	p.workers.Render = simulator.Span{} // nobody asks the simulated ones
	return worker
}

// lacksWorkersNodes holds the pages' own ComfyUI to what the test is about.
func lacksWorkersNodes(t *testing.T, pages []*replica) {
	t.Helper()
	for _, p := range pages {
		p.ready(t)
		for class, want := range map[string]string{onlyClass: "{}", "CheckpointLoaderSimple": ""} {
			resp, err := http.Get(p.url.String() + "/object_info/" + class)
			orFatal(t, err)
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			orFatal(t, err)
			var of map[string]struct {
				Input struct {
					Required struct {
						Checkpoint []any `json:"ckpt_name"`
					}
				}
			}
			orFatal(t, json.Unmarshal(raw, &of))
			if want != "" && string(raw) != want || len(of) > 0 && choices(of[class].Input.Required.Checkpoint) > 0 {
				t.Fatalf("a page's own ComfyUI has %s", raw)
			}
		}
	}
}

// choices counts those of a declared input.
func choices(spec []any) int {
	if list, ok := spec[0].([]any); ok {
		return len(list)
	}
	options, _ := spec[1].(map[string]any)
	list, _ := options["options"].([]any)
	return len(list)
}

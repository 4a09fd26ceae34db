package server

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	// headerFallback says that the caller has a ComfyUI to ask when nothing is
	// known of the workers' nodes: it gets an error then, and not an empty list.
	headerFallback = "X-Qmtui-Fallback"
	// headerDeployment names the deployment whose workers a list is of.
	headerDeployment = "X-Qmtui-Deployment"
)

// nodeList is the last list of nodes that was handed out, made ready. The zero
// value has none.
type nodeList struct {
	mu    sync.Mutex
	raw   []byte // as the service gave it
	sum   [sha256.Size]byte
	nodes *face.Nodes
}

// of makes a list ready, which takes a moment, once for each.
func (l *nodeList) of(raw []byte) (*face.Nodes, [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := len(raw) == len(l.raw) && (len(raw) == 0 || &raw[0] == &l.raw[0])
	if l.nodes == nil || !same {
		l.raw, l.sum, l.nodes = raw, sha256.Sum256(raw), face.ReadNodes(raw)
	}
	return l.nodes, l.sum
}

// answerNodes answers with what write makes of the workers' nodes for a user,
// whose files are given to it. found says whether the list tells of what is
// asked for. It asks no worker, so none is woken.
func (s *Server) answerNodes(w http.ResponseWriter, r *request, found func(*face.Nodes) bool, write func(w io.Writer, n *face.Nodes, files []string) error) error {
	list := s.svc.Nodes()
	nodes, sum := s.nodes.of(list.JSON)
	if r.Header.Get(headerFallback) != "" && (nodes.Len() == 0 || !found(nodes)) {
		return &job.Error{Code: "nodes_unknown", Class: job.Unavailable, Message: "the workers' nodes and models are not known yet",
			Hint: `they are read while a worker renders; an admin may wake one with "qmtui workers warm", which costs money`}
	}
	var files []string
	if s.opts.Inputs != "" {
		files = s.uploads(r.PathValue("user"))
	}
	tag := `W/"` + nodesTag(sum, r.URL.Path, files) + `"`
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache") // kept by the browser, and asked for each time
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", tag)
	if list.Deployment != "" {
		h.Set(headerDeployment, list.Deployment)
		h.Set("Last-Modified", list.At.UTC().Format(http.TimeFormat))
	}
	bound(w)
	if hasTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	// A caller who went away needs no answer.
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		plain := bufio.NewWriterSize(rolling{w}, 64<<10)
		_ = write(plain, nodes, files)
		_ = plain.Flush()
		return nil
	}
	h.Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(rolling{w}, gzip.BestSpeed)
	if err != nil {
		return err
	}
	_ = write(z, nodes, files)
	_ = z.Close()
	return nil
}

// nodesTag tells answers apart: by the list, by what is asked for, and by the
// user's files.
func nodesTag(sum [sha256.Size]byte, path string, files []string) string {
	all := sha256.New()
	all.Write(sum[:])
	for _, s := range append([]string{path}, files...) {
		all.Write([]byte(s))
		all.Write([]byte{0}) // in no path
	}
	return hex.EncodeToString(all.Sum(nil)[:16])
}

// hasTag reports whether If-None-Match names the tag.
func hasTag(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag || "W/"+one == tag {
			return true
		}
	}
	return false
}

// faceNodes answers GET object_info: {} while nobody was asked yet.
func (s *Server) faceNodes(w http.ResponseWriter, r *request) error {
	return s.answerNodes(w, r, func(*face.Nodes) bool { return true }, func(w io.Writer, n *face.Nodes, files []string) error { return n.WriteTo(w, files) })
}

// faceNode answers GET object_info/{class}: {} for a class that is not known.
func (s *Server) faceNode(w http.ResponseWriter, r *request) error {
	class := r.PathValue("class")
	return s.answerNodes(w, r, func(n *face.Nodes) bool { return n.Class(class, nil) != nil }, func(w io.Writer, n *face.Nodes, files []string) error {
		out := map[string]json.RawMessage{}
		if entry := n.Class(class, files); entry != nil {
			out[class] = entry
		}
		return json.NewEncoder(w).Encode(out)
	})
}

// faceModelFolders answers GET models.
func (s *Server) faceModelFolders(w http.ResponseWriter, r *request) error {
	return s.answerNodes(w, r, func(n *face.Nodes) bool { return len(n.Folders()) > 0 }, func(w io.Writer, n *face.Nodes, _ []string) error {
		return json.NewEncoder(w).Encode(n.Folders())
	})
}

// faceModels answers GET models/{folder}.
func (s *Server) faceModels(w http.ResponseWriter, r *request) error {
	return s.answerModels(w, r, func(files []string) any { return files })
}

// facePageFolders answers GET experiment/models, which pages ask for in its
// place. Where a folder is on the workers is nobody's business.
func (s *Server) facePageFolders(w http.ResponseWriter, r *request) error {
	return s.answerNodes(w, r, func(n *face.Nodes) bool { return len(n.Folders()) > 0 }, func(w io.Writer, n *face.Nodes, _ []string) error {
		all := []map[string]any{}
		for _, name := range n.Folders() {
			all = append(all, map[string]any{"name": name, "folders": []string{}, "extensions": []string{}})
		}
		return json.NewEncoder(w).Encode(all)
	})
}

// facePageModels answers GET experiment/models/{folder}. Size and age of the
// files are not known.
func (s *Server) facePageModels(w http.ResponseWriter, r *request) error {
	return s.answerModels(w, r, func(files []string) any {
		all := []map[string]any{}
		for _, name := range files {
			all = append(all, map[string]any{"name": name, "pathIndex": 0})
		}
		return all
	})
}

func (s *Server) answerModels(w http.ResponseWriter, r *request, form func([]string) any) error {
	folder := r.PathValue("folder")
	known := func(n *face.Nodes) bool {
		_, ok := n.Models(folder)
		return ok
	}
	return s.answerNodes(w, r, known, func(w io.Writer, n *face.Nodes, _ []string) error {
		files, _ := n.Models(folder)
		return json.NewEncoder(w).Encode(form(append([]string{}, files...)))
	})
}

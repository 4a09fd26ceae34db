package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Written is one regular file that the fleet wrote. Planted symbolic links,
// hard links and pipes are never here.
type Written struct {
	// Seq identifies the entry: a file has one line in the journal when it is
	// opened and another when it is finished.
	Seq        int    `json:"seq"`
	Deployment string `json:"deployment"`
	Replica    string `json:"replica"`
	PromptID   string `json:"prompt_id"`
	Node       string `json:"node"`
	// Path is relative to the outputs folder, with slashes.
	Path string `json:"path"`
	// Size and Checksum ("xxh64:" and 16 hexadecimal digits) are of what the
	// replica meant to write; they are on disk only when Complete.
	Size     int64  `json:"size"`
	Checksum string `json:"checksum"`
	Complete bool   `json:"complete"`
	// Marker is a start marker (under "_started"), never to be delivered.
	Marker bool `json:"marker"`
	// Foreign is somebody else's file: nobody's job wrote it.
	Foreign bool `json:"foreign"`
	// Planted is an additional output that history does not report.
	Planted bool `json:"planted"`
	// Loaded are the checksums of the input files that it was made from, with
	// spaces between.
	Loaded string `json:"loaded,omitempty"`
	// Seed is that of the sampler whose picture it is; zero without one.
	Seed uint64 `json:"seed,omitempty"`
	// Again says that the node wrote its own file once more: the version
	// before it is Replaced, and no longer what the node made.
	Again    bool `json:"again,omitempty"`
	Replaced bool `json:"replaced,omitempty"`
	// Overwritten says that a later entry wrote to the same path.
	Overwritten bool `json:"overwritten"`
	// ContainerDisk says that Path is not on the share at all.
	ContainerDisk bool      `json:"container_disk"`
	At            time.Time `json:"at"`
}

// Wanted says that this file stands on the share, whole, and belongs to a
// user: a manager that does not deliver it has lost an output.
func (w Written) Wanted() bool {
	return w.Complete && !w.Marker && !w.Foreign && !w.Overwritten && !w.ContainerDisk
}

// Execution is one prompt on one replica. A duplicate execution has two.
type Execution struct {
	Seq        int    `json:"seq"`
	Deployment string `json:"deployment"`
	Replica    string `json:"replica"`
	PromptID   string `json:"prompt_id"`
	// Status is queued, running, success, error, interrupted, deleted or
	// killed (the replica went away).
	Status string `json:"status"`
	// Node and Error say what raised, when Status is error.
	Node   string   `json:"node,omitempty"`
	Error  string   `json:"error,omitempty"`
	Faults []string `json:"faults,omitempty"`
	// Accepted, Started and Ended are zero until they happen.
	Accepted time.Time `json:"accepted"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
}

// manifest keeps both lists; every method may be called by any goroutine.
type manifest struct {
	mu         sync.Mutex
	written    []Written
	latest     map[string]int // path -> index in written
	executions []Execution
	journal    *os.File
	err        error // the first journal error
}

func newManifest(journal string) (*manifest, error) {
	m := &manifest{latest: map[string]int{}}
	if journal == "" {
		return m, nil
	}
	file, err := os.OpenFile(journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the manifest's journal: %w", err)
	}
	m.journal = file
	return m, nil
}

// begin records that a file is being opened and returns its number.
func (m *manifest) begin(w Written) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Seq, w.At = len(m.written), time.Now()
	key := place(w)
	if i, ok := m.latest[key]; ok {
		m.written[i].Overwritten = true
		m.log(m.written[i])
	}
	m.latest[key] = w.Seq
	m.written = append(m.written, w)
	m.log(w)
	return w.Seq
}

func place(w Written) string { return fmt.Sprint(w.ContainerDisk, "\x00", w.Path) }

// finish records that the file stands on disk, whole.
func (m *manifest) finish(seq int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[seq].Complete = true
	m.written[seq].At = time.Now()
	m.log(m.written[seq])
	if w := m.written[seq]; w.Again {
		for i := seq - 1; i >= 0; i-- {
			if m.written[i].Path == w.Path && m.written[i].PromptID == w.PromptID {
				m.written[i].Replaced = true
				m.log(m.written[i])
				break
			}
		}
	}
}

func (m *manifest) log(w Written) {
	if m.journal == nil || m.err != nil {
		return
	}
	line, err := json.Marshal(w)
	if err == nil {
		_, err = m.journal.Write(append(line, '\n'))
	}
	m.err = err
}

func (m *manifest) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.journal == nil {
		return nil
	}
	err := m.journal.Close()
	m.journal = nil
	return errors.Join(m.err, err)
}

func (m *manifest) accept(e Execution) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Seq, e.Status, e.Accepted = len(m.executions), "queued", time.Now()
	m.executions = append(m.executions, e)
	return e.Seq
}

func (m *manifest) update(seq int, change func(*Execution)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.executions[seq])
}

// open counts the executions that have not ended.
func (m *manifest) open() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.executions {
		if e.Ended.IsZero() {
			n++
		}
	}
	return n
}

// stranger is the path of a whole output of another prompt, "" when there is
// none.
func (m *manifest) stranger(promptID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.written) - 1; i >= 0; i-- {
		if w := m.written[i]; w.Wanted() && w.PromptID != promptID {
			return w.Path
		}
	}
	return ""
}

// Manifest is every file written so far, in the order they were opened.
func (f *Fleet) Manifest() []Written {
	f.manifest.mu.Lock()
	defer f.manifest.mu.Unlock()
	return append([]Written(nil), f.manifest.written...)
}

// Executions is every execution so far by prompt id, in order of acceptance.
func (f *Fleet) Executions() map[string][]Execution {
	f.manifest.mu.Lock()
	defer f.manifest.mu.Unlock()
	byID := map[string][]Execution{}
	for _, e := range f.manifest.executions {
		byID[e.PromptID] = append(byID[e.PromptID], e)
	}
	return byID
}

// ReadJournal gives the manifest back from Config.Journal's lines: the last
// line of each number counts.
func ReadJournal(r io.Reader) ([]Written, error) {
	var all []Written
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var w Written
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			return nil, fmt.Errorf("read the manifest's journal: %w", err)
		}
		switch {
		case w.Seq == len(all):
			all = append(all, w)
		case w.Seq >= 0 && w.Seq < len(all):
			all[w.Seq] = w
		default:
			return nil, fmt.Errorf("read the manifest's journal: entry %d follows %d", w.Seq, len(all)-1)
		}
	}
	return all, lines.Err()
}

func (f *Fleet) serveManifest(w http.ResponseWriter, _ *http.Request) {
	serveJSON(w, append([]Written{}, f.Manifest()...))
}

func (f *Fleet) serveExecutions(w http.ResponseWriter, _ *http.Request) { serveJSON(w, f.Executions()) }

func (f *Fleet) serveStatus(w http.ResponseWriter, _ *http.Request) {
	serveJSON(w, map[string]any{"idle": f.Idle(), "open": f.manifest.open(), "files": len(f.Manifest())})
}

func serveJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // a reader that went away is no error of ours
}

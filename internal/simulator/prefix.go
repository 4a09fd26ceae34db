package simulator

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// savePath is what ComfyUI's get_save_image_path gives a save node. The
// counter comes from one listing of the folder, without a lock: two replicas
// that share a folder and a prefix take the same number.
type savePath struct {
	folder    string // absolute
	subfolder string // as history reports it
	name      string
	counter   *big.Int
	// stem is the name of the i-th file without its extension.
	stem func(i int) string
}

// savePathOf resolves a prefix and creates its folder (ComfyUI 0.8.0,
// transcripts 05-prefix). Errors are *raised.
func savePathOf(output, prefix string, width, height int, now time.Time, modern bool) (savePath, error) {
	if strings.Contains(prefix, "%") {
		prefix = expandTokens(prefix, width, height, now)
	}
	normal := normPath(prefix)
	p := savePath{subfolder: dirName(normal), name: baseName(normal), counter: big.NewInt(1)}
	p.stem = func(i int) string { return p.number(i) + "_" }
	p.folder = filepath.Join(output, p.subfolder)
	if strings.HasPrefix(p.subfolder, "/") {
		p.folder = filepath.Clean(p.subfolder)
	}
	if !within(output, p.folder) {
		message := fmt.Sprintf("**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: %s\n         output_dir: %s", p.folder, output)
		if !modern {
			message += "\n         commonpath: " + commonPath(output, p.folder)
		}
		return p, &raised{"Exception", message}
	}
	if err := pythonName(p.folder); err != nil {
		return p, err
	}
	entries, err := os.ReadDir(p.folder)
	if os.IsNotExist(err) {
		err = os.MkdirAll(p.folder, 0o755)
	}
	if err != nil {
		return p, osError(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	p.counter = nextCounter(names, p.name, utf8.RuneCountInString(baseName(prefix)), modern)
	return p, nil
}

func expandTokens(prefix string, width, height int, now time.Time) string {
	return strings.NewReplacer(
		"%width%", strconv.Itoa(width), "%height%", strconv.Itoa(height),
		"%year%", now.Format("2006"), "%month%", now.Format("01"), "%day%", now.Format("02"),
		"%hour%", now.Format("15"), "%minute%", now.Format("04"), "%second%", now.Format("05"),
	).Replace(prefix)
}

// normPath is os.path.normpath: like path.Clean, but exactly two leading
// slashes stay two.
func normPath(p string) string {
	clean := filepath.Clean(p)
	if strings.HasPrefix(p, "//") && !strings.HasPrefix(p, "///") {
		clean = "/" + clean
	}
	return clean
}

func dirName(p string) string {
	i := strings.LastIndex(p, "/") + 1
	head := p[:i]
	if trimmed := strings.TrimRight(head, "/"); trimmed != "" {
		return trimmed
	}
	return head
}

func baseName(p string) string { return p[strings.LastIndex(p, "/")+1:] }

func within(folder, path string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

func commonPath(a, b string) string {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	if n <= 1 {
		return "/"
	}
	return strings.Join(x[:n], "/")
}

// nextCounter is the highest number in the listing plus one. prefixLen is the
// length in characters of the prefix's last part before it was normalised:
// that is why a prefix ending in "/" always gets 1 and overwrites.
func nextCounter(names []string, name string, prefixLen int, modern bool) *big.Int {
	var best *big.Int
	for _, n := range names {
		if digits, ok := counterOf([]rune(n), name, prefixLen, modern); ok && (best == nil || digits.Cmp(best) > 0) {
			best = digits
		}
	}
	if best == nil {
		return big.NewInt(1)
	}
	return best.Add(best, big.NewInt(1))
}

func counterOf(file []rune, name string, prefixLen int, modern bool) (*big.Int, bool) {
	cut := min(prefixLen+1, len(file))
	head := file[:cut]
	if len(head) == 0 || head[len(head)-1] != '_' || string(head[:len(head)-1]) != name {
		return nil, false
	}
	digits, _, _ := strings.Cut(string(file[cut:]), "_")
	if modern { // names without an underscore before the dot count as well
		digits, _, _ = strings.Cut(digits, ".")
	}
	n, ok := new(big.Int).SetString(strings.TrimSpace(digits), 10)
	if !ok {
		n = new(big.Int)
	}
	return n, true
}

// number is the name and the i-th number from the counter on.
func (p savePath) number(i int) string {
	n := new(big.Int).Add(p.counter, big.NewInt(int64(i)))
	return strings.ReplaceAll(p.name, "%batch_num%", strconv.Itoa(i)) + "_" + padded(n)
}

// padded is {counter:05} of Python: the sign counts as a place.
func padded(n *big.Int) string {
	digits := new(big.Int).Abs(n).String()
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	return sign + strings.Repeat("0", max(0, 5-len(sign)-len(digits))) + digits
}

package share

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	maxName    = 255 // bytes of one name, the limit of every file system in question
	maxStem    = 200 // bytes, so that a counter and an extension fit behind it
	maxSuffix  = 32  // bytes of an extension, its dot included
	maxFolders = 32  // of a place below the user's folder: a prefix may have 16, and nodes add some of their own
)

// splitSuffix takes the extension off a name, unless it is too long to be one.
func splitSuffix(base string) (stem, suffix string) {
	suffix = path.Ext(base)
	if len(suffix) > maxSuffix/2 {
		return base, ""
	}
	return strings.TrimSuffix(base, suffix), suffix
}

// ownPath is what the user's own prefix made: the path below the node's
// folder, or all of it for a file outside qm/.
func ownPath(source string) string {
	if id, _ := origin(source); id == "" {
		return source
	}
	parts := strings.SplitN(source, "/", 4)
	return parts[len(parts)-1]
}

func harmlessFolder(parts []string, aside string) string {
	var kept []string
	if aside != "" {
		kept = append(kept, aside)
	}
	limit := len(kept) + maxFolders
	for _, part := range parts {
		if part != "" && len(kept) < limit {
			kept = append(kept, harmless(part))
		}
	}
	return strings.Join(kept, "/")
}

// harmless turns one foreign name into one that is safe to show, to type and
// to store: printable UTF-8, no separator, no leading dot or dash, at most
// maxStem bytes, never empty.
func harmless(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if bad(r, n) {
			b.WriteByte('_')
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	clean := shorten(b.String(), name)
	if clean == "" || clean[0] == '.' || clean[0] == '-' || clean[0] == '~' {
		clean = "_" + clean
	}
	return clean
}

// bad runes are controls, bidirectional and zero-width marks, invalid bytes,
// and separators of paths here and on Windows.
func bad(r rune, n int) bool {
	return r == utf8.RuneError && n == 1 || r == '/' || r == '\\' || r == unicode.ReplacementChar ||
		!unicode.IsPrint(r)
}

// shorten cuts a long name at a rune and marks it with a hash of the whole, so
// that two long names stay apart.
func shorten(clean, whole string) string {
	if len(clean) < maxStem {
		return clean
	}
	sum := sha256.Sum256([]byte(whole))
	cut := maxStem - 12
	for cut > 0 && !utf8.RuneStart(clean[cut]) {
		cut--
	}
	return clean[:cut] + "~" + hex.EncodeToString(sum[:4])
}

func harmlessSuffix(suffix string) string {
	if suffix == "" || suffix == "." {
		return ""
	}
	clean := harmless(suffix[1:])
	if len(clean) >= maxSuffix {
		return ".bin"
	}
	return "." + clean
}

// checkDest refuses a place that is not plainly below the user's folder.
func checkDest(dest string) error {
	clean := path.Clean(dest)
	if dest == "" || clean != dest || clean == "." || path.IsAbs(dest) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(dest, 0) {
		return &job.Error{Code: "bad_dest", Class: job.Invalid,
			Message: fmt.Sprintf("%s is not a place below the user's folder", job.Path(dest)), Hint: "choose again"}
	}
	return nil
}

// belongs refuses a source that does not lie in the folder of its attempt.
func belongs(t job.Transfer) error {
	id, _ := origin(string(t.Source))
	if id != "" && t.PromptID != "" && id != t.PromptID {
		return errHostileSource(t.Source.String(), errHostile("a file of another attempt than "+comfy.Folder(t.PromptID)))
	}
	return nil
}

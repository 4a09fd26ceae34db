package comfy

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// StagedName is where a file of a user stands in the workers' input folder:
// [below/]qm/<user>/<sum>/<base>/<path>. It names content, so that what stands
// there never changes, and the user, so that nobody is given what is another's;
// and it keeps the user's own name, so that it can be undone. user is a folder
// name and sum 64 hexadecimal digits of a SHA-256.
func StagedName(f InputFile, user, sum string) string {
	name := Root + "/" + user + "/" + sum + "/" + string(f.Base) + "/" + f.Path
	if f.Below != "" {
		name = f.Below + "/" + name
	}
	return name
}

var stagedForm = regexp.MustCompile(`^(?:3d/)?` + Root + `/[a-zA-Z0-9_-]{1,100}/[0-9a-f]{64}/(input|output|temp)/(.+)$`)

// IsStaged reports a path below the workers' input folder that StagedName made.
func IsStaged(p string) bool { return stagedForm.MatchString(p) && fs.ValidPath(p) }

// ownFile is the user's own name of a file: a prompt that was read back from a
// picture carries staged ones, of whichever user, and these are nobody's to name.
func ownFile(name string) string {
	bare := strings.TrimSuffix(name, " [input]")
	for range maxOwn {
		m := stagedForm.FindStringSubmatch(bare)
		if m == nil {
			break
		}
		bare, name = m[2], m[2]
		if m[1] != string(BaseInput) {
			name += " [" + m[1] + "]"
		}
	}
	return name
}

// namesStaged reports a text that leads to what is staged; a folder does so
// when it is ours or anything above it. Texts are large and many, so that one
// without our folder's name costs a search for it, and any other two or three
// passes over it.
func namesStaged(text string, folder bool) bool {
	if strings.Contains(text, Root) {
		if found, _ := stagedSomewhere(text); found {
			return true
		}
		if strings.Contains(text, "/.") || strings.Contains(text, "//") { // detours
			if found, _ := stagedSomewhere(path.Clean(text)); found {
				return true
			}
		}
	}
	if !folder {
		return false
	}
	clean := path.Clean("/" + strings.TrimPrefix(text, "3d/"))
	return clean == "/" || clean == "/"+Root || strings.HasPrefix(clean, "/"+Root+"/") || strings.Contains(text, "..")
}

// stagedSomewhere finds the beginning of a staged name, qm/<user>/<sum>, wherever it
// stands in a text, with any number of slashes between. looked is how many bytes it
// compared one by one: never more than a few for each byte of the text.
func stagedSomewhere(text string) (found bool, looked int) {
	for at := 0; ; {
		i := strings.Index(text[at:], Root+"/")
		if i < 0 {
			return false, looked
		}
		at += i
		if at == 0 || text[at-1] == '/' {
			rest := text[at+len(Root):]
			slash := run(rest, 1<<30, isSlash)
			user := run(rest[slash:], 101, isUserLetter)
			after := run(rest[slash+user:], 1<<30, isSlash)
			sum := run(rest[slash+user+after:], 64, isHex)
			looked += slash + user + after + sum
			if user >= 1 && user <= 100 && after >= 1 && sum == 64 {
				return true, looked
			}
		}
		at += len(Root)
	}
}

// run is how many bytes at the beginning of text are of a kind, at most so many.
func run(text string, most int, is func(byte) bool) int {
	n := 0
	for n < len(text) && n < most && is(text[n]) {
		n++
	}
	return n
}

func isSlash(c byte) bool { return c == '/' }
func isHex(c byte) bool   { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func isUserLetter(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-'
}

// hashForm is a name that stands for content: a worker with --enable-assets finds the
// file by it (ComfyUI 0.33.0), so that there is nothing to bring.
var hashForm = regexp.MustCompile(`^blake3:[0-9a-fA-F]{64}(?: \[(?:input|output|temp)\])?$`)

// Bounds of the path of a file in bytes, below the folder of its user.
const (
	maxFilePath = 600
	maxFilePart = 200
)

// pathFault is why a path is not looked for in a user's folder; nil when it is
// plain: it cannot lead out, and names nothing hidden.
func pathFault(p string) *InputFault {
	plain := fs.ValidPath(p) && p != "." && len(p) <= maxFilePath && !strings.ContainsFunc(p, odd) && p != Root && !strings.HasPrefix(p, Root+"/")
	for part := range strings.SplitSeq(p, "/") {
		plain = plain && len(part) <= maxFilePart && !strings.HasPrefix(part, ".")
	}
	if plain {
		return nil
	}
	return &faultName
}

func odd(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' }

var (
	faultComputed = InputFault{"input_computed", "the name of the file is computed in the graph, so nobody can bring the file to the workers before it runs",
		"write the name into the node itself"}
	faultStaged  = InputFault{"input_name_refused", "it names a folder or file that was staged for a job, and whose that is nobody knows", "name a folder or file of your own"}
	faultUnnamed = InputFault{"input_unnamed", "no file is chosen", "choose a file in the node"}
	faultName    = InputFault{"input_name_refused", "the name leads out of your own folder, or is not plain",
		"choose a file from your own folder, with a name that does not begin with a dot"}
)

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

// stagedSomewhere is a staged name wherever it stands in a text.
var stagedSomewhere = regexp.MustCompile(`(?:^|/)` + Root + `/+[a-zA-Z0-9_-]{1,100}/+[0-9a-f]{64}`)

// namesStaged reports a text that leads to what is staged; a folder does so
// when it is ours or anything above it.
func namesStaged(text string, folder bool) bool {
	if stagedSomewhere.MatchString(text) || stagedSomewhere.MatchString(path.Clean(text)) {
		return true
	}
	if !folder {
		return false
	}
	clean := path.Clean("/" + strings.TrimPrefix(text, "3d/"))
	return clean == "/" || clean == "/"+Root || strings.HasPrefix(clean, "/"+Root+"/") || strings.Contains(text, "..")
}

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

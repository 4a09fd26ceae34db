package share

import (
	"os"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// maxNames bounds how many names of a folder are compared.
const maxNames = 20_000

// otherForm finds the path of a file whose name is written in the other Unicode form:
// macOS and some uploads split "ü" into two letters, and the folder has it as one, or the
// other way round. Each part of the path that is not there as it is written is looked
// for among the names of its folder. A path that is there, or of plain letters, gives "".
func otherForm(root *os.Root, below string) string {
	found := ""
	for part := range strings.SplitSeq(below, "/") {
		next := path.Join(found, part)
		if _, err := root.Lstat(next); err != nil {
			name := sameLetters(root, found, part)
			if name == "" {
				return ""
			}
			next = path.Join(found, name)
		}
		found = next
	}
	if found == below {
		return ""
	}
	return found
}

// sameLetters is the name in a folder that has the letters of part.
func sameLetters(root *os.Root, folder, part string) string {
	want := norm.NFC.String(part)
	if want == part && norm.NFD.IsNormalString(part) {
		return "" // it has no other form
	}
	d, err := root.Open(path.Join(".", folder))
	if err != nil {
		return ""
	}
	defer d.Close()
	for count := 0; count < maxNames; {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			if norm.NFC.String(name) == want {
				return name
			}
		}
		if count += len(names); err != nil {
			break
		}
	}
	return ""
}

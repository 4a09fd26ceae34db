package comfy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Root is the folder below a server's output folder that belongs to this
// program, and StartedFolder the one in an attempt's folder where the start
// marker goes. No node id encodes to StartedFolder.
const (
	Root          = "qm"
	StartedFolder = "_started"
)

// Folder is where everything of one attempt is written, with slashes and
// relative to the output folder: "qm/<prompt id>".
func Folder(promptID string) string { return Root + "/" + promptID }

// EncodeNode turns a node id into one path segment that is safe on every
// share: only a-z, 0-9 and '-' stand for themselves, any other byte becomes '_'
// and two hex digits, and the empty id becomes "_". So a subgraph's "12:3" is
// "12_3a3", ".." is harmless, and ids that differ in case only stay apart
// where the share ignores case. No server token (%width%) can arise.
func EncodeNode(id string) string {
	if id == "" {
		return "_"
	}
	var b strings.Builder
	for i := range len(id) {
		if plain(id[i]) {
			b.WriteByte(id[i])
		} else {
			b.WriteByte('_')
			b.WriteString(hex.EncodeToString([]byte{id[i]}))
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
}

// DecodeNode is the inverse of EncodeNode. Anything that EncodeNode does not
// produce, StartedFolder for one, is an error.
func DecodeNode(seg string) (string, error) {
	if seg == "_" {
		return "", nil
	}
	if seg == "" {
		return "", errors.New("decode node folder: it is empty")
	}
	var b strings.Builder
	for rest := seg; rest != ""; {
		c, n := decodeByte(rest)
		if n == 0 {
			return "", fmt.Errorf("decode node folder %q: not made by EncodeNode", seg)
		}
		b.WriteByte(c)
		rest = rest[n:]
	}
	if id := b.String(); EncodeNode(id) == seg {
		return id, nil
	}
	return "", fmt.Errorf("decode node folder %q: not made by EncodeNode", seg)
}

// decodeByte gives the first byte of an encoded text and how much it used up.
func decodeByte(text string) (byte, int) {
	if plain(text[0]) {
		return text[0], 1
	}
	if text[0] != '_' || len(text) < 3 {
		return 0, 0
	}
	raw, err := hex.DecodeString(text[1:3])
	if err != nil {
		return 0, 0
	}
	return raw[0], 3
}

package comfy

import (
	"path"
	"strings"
	"testing"
)

func TestEncodeNode(t *testing.T) {
	for id, want := range map[string]string{
		"9":        "9",
		"12:3":     "12_3a3",
		"":         "_",
		"_":        "_5f",
		".":        "_2e",
		"..":       "_2e_2e",
		"_started": "_5fstarted",
		"a/b":      "a_2fb",
		`a\b`:      "a_5cb",
		"A":        "_41",
		"a":        "a",
		"é":        "_c3_a9",
		"a\x00\nb": "a_00_0ab",
		"%width%":  "_25width_25",
		"-rf":      "-rf",
	} {
		if got := EncodeNode(id); got != want {
			t.Errorf("EncodeNode(%q) = %q, want %q", id, got, want)
		}
		if back, err := DecodeNode(want); err != nil || back != id {
			t.Errorf("DecodeNode(%q) = %q, %v, want %q", want, back, err, id)
		}
	}
}

func TestDecodeNodeRefusesWhatWasNotEncoded(t *testing.T) {
	for _, seg := range []string{"", StartedFolder, "_5F", "_39", "_2", "_zz", "a.b", "..", "A", "a/b", "__", "9_"} {
		if id, err := DecodeNode(seg); err == nil {
			t.Errorf("DecodeNode(%q) = %q, want an error", seg, id)
		}
	}
}

func FuzzNodeID(f *testing.F) {
	for _, seed := range []string{"9", "12:3", "_started", "../..", "\xff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		seg := EncodeNode(id)
		if seg == "" || seg == StartedFolder || path.Base(path.Clean("/"+seg)) != seg || strings.ContainsAny(seg, `%/\.`) {
			t.Errorf("EncodeNode(%q) = %q is no safe segment", id, seg)
		}
		if back, err := DecodeNode(seg); err != nil || back != id {
			t.Errorf("DecodeNode(%q) = %q, %v, want %q", seg, back, err, id)
		}
		if decoded, err := DecodeNode(id); err == nil && EncodeNode(decoded) != id {
			t.Errorf("DecodeNode(%q) = %q, which encodes to %q", id, decoded, EncodeNode(decoded))
		}
	})
}

package simulator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzLoads(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,-0,1e400,"\u56fe\ud83d\ude00\ud800"],"b":{}}`, `[NaN,-Infinity]`, `{"prompt": {`, `"\q"`, "\ufeff{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := loads(raw)
		if err != nil {
			if json.Valid(raw) && utf8.Valid(raw) && !strings.Contains(string(raw), strings.Repeat("[", 300)) && len(raw) < 900 {
				t.Fatalf("encoding/json takes %q, we do not", raw)
			}
			return
		}
		out := dumps(v)
		again, err := loads([]byte(out))
		if err != nil || dumps(again) != out {
			t.Fatalf("%q became %q, which does not read back: %v", raw, out, err)
		}
	})
}

func FuzzSavePathStaysInside(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "/etc/x", "x/../../y", "", "/", "..", "a\x00b", "//t/x", "%year%/../../.."} {
		f.Add(seed)
	}
	output := f.TempDir()
	f.Fuzz(func(t *testing.T, prefix string) {
		if strings.Count(prefix, "/") > 20 {
			return
		}
		p, err := savePathOf(output, prefix, 1, 1, time.Unix(0, 0), false)
		if err == nil && !within(output, p.folder) {
			t.Fatalf("%q goes to %s", prefix, p.folder)
		}
		if err == nil && strings.ContainsAny(p.stem(0), "/") {
			t.Fatalf("%q names %q", prefix, p.stem(0))
		}
	})
}

package job

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "qm/p/9/cat_00001_.png", "100%.png", "%41", "a+b c", "\xff\xfe", "é\u202egnp.exe", "\x1b]8;;\x07", "\u200b", "\u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(Path(s))
		if err != nil {
			t.Fatal(err)
		}
		var back Path
		if err := json.Unmarshal(b, &back); err != nil || string(back) != s {
			t.Errorf("%q came back as %q (%v)", s, back, err)
		}
		text := Path(s).String()
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is not harmless as %q", s, text)
		}
	})
}

func TestPathText(t *testing.T) {
	for in, want := range map[Path]string{"a b.png": "a b.png", "100%": "100%25", "\xffx\n": "%FFx%0A", "日本.png": "日本.png"} {
		if got := in.String(); got != want {
			t.Errorf("%q: got %q, want %q", string(in), got, want)
		}
	}
	var p Path
	if err := p.UnmarshalText([]byte("bad %zz")); err == nil {
		t.Errorf("a broken escape was read as %q", p)
	}
}

// TestJSON: what is written is read back the same.
func TestJSON(t *testing.T) {
	priority := High
	at := noon.Add(123456789)
	for _, v := range []any{
		Fact{Job: "j", Kind: Created, At: at, Evidence: ByManager, Spec: &Spec{ID: "j", User: "ada", Submitted: at, Priority: Low,
			Metadata: json.RawMessage(`{"a":1}`), Expect: []Expected{{Node: "9", Class: "SaveImage"}}}},
		Fact{Job: "j", Kind: Prioritised, Priority: &priority, Actor: "root", At: at},
		Fact{Job: "j", Kind: Wanted, Want: WantCancel, At: at},
		Fact{Job: "j", Kind: Renewed, Attempt: 2, NotBefore: at, Automatic: true, At: at},
		Fact{Job: "j", Kind: Finished, Attempt: 1, Files: []Path{"a/\xff%"}, At: at},
		Fact{Job: "j", Kind: Broke, Attempt: 1, At: at, Error: &Error{Code: "c", Class: Invalid, Message: "m", Hint: "h", Node: "9",
			Traceback: []string{"x"}, NodeErrors: []byte(`{"9":{}}`), Transient: true, RetryAfter: 3}},
		fact(Named, 1), fact(Stored, 1),
		observe(t, submitted(t, 2), []Fact{fact(Acknowledged, 5), fact(Stored, 6), fact(Broke, 7)}),
		Counts{Queued: 1, Lost: 2},
		Filter{States: []State{Queued, Done}, Since: at},
		Change{Rev: 7, Job: created(t)},
		AuditEntry{At: at, Actor: "ada", Verb: "cancel", Target: "j", Result: "ok"},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(b, back.Interface()); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if got := back.Elem().Interface(); !reflect.DeepEqual(got, v) {
			t.Errorf("%s came back as %s", b, encoded(t, got))
		}
	}
}

func TestStateText(t *testing.T) {
	statuses := map[State]string{}
	for _, s := range States() {
		got, err := ParseState(s.String())
		if err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
		statuses[s] = s.Status()
	}
	for _, status := range []string{"pending", "running", "completed", "failed", "cancelled"} {
		for _, s := range StatesOf(status) {
			if statuses[s] != status {
				t.Errorf("%s is not %s", s, status)
			}
			delete(statuses, s)
		}
	}
	if len(statuses) != 0 {
		t.Errorf("no status covers %v", statuses)
	}
	if _, err := ParseState("paused"); err == nil {
		t.Error("an unknown state was read")
	}
	for s := range outputStateNames {
		var back OutputState
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("output state %s came back as %s", s, back)
		}
	}
}

func TestFactInUTC(t *testing.T) {
	now := time.Now().In(time.FixedZone("x", 3600))
	f := Fact{At: now, NotBefore: now, Spec: &Spec{Submitted: now}, Warning: &Warning{At: now}}
	got := f.InUTC()
	want := now.Round(0).UTC()
	if got.At != want || got.NotBefore != want || got.Spec.Submitted != want || got.Warning.At != want {
		t.Errorf("got %+v", got)
	}
	if f.Spec.Submitted != now || f.Warning.At != now {
		t.Error("the fact itself changed")
	}
	if zero := (Fact{}).InUTC(); !reflect.DeepEqual(zero, Fact{}) {
		t.Errorf("the zero fact became %+v", zero)
	}
}

func TestErrorsAreJudgedByCode(t *testing.T) {
	wrapped := AsError(&Error{Code: "job_not_found", Message: "another sentence"})
	if !wrapped.Is(ErrNoJob) || wrapped.Is(ErrNoBlob) {
		t.Error("errors are not compared by code")
	}
	if AsError(nil) != nil {
		t.Error("nil became an error")
	}
	if e := AsError(errors.New("x")); e.Class != Internal {
		t.Errorf("got %v", e)
	}
}

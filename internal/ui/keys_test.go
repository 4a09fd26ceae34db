package ui

import (
	"os"
	"testing"
)

// Two deeds on one key in one place would hide one of them.
func TestKeysAreUnique(t *testing.T) {
	seen := map[string]deed{}
	for _, b := range bindings {
		for _, k := range b.keys {
			at := string(b.where) + " " + k
			if was, ok := seen[at]; ok {
				t.Errorf("%s means %q and %q", at, was, b.do)
			}
			seen[at] = b.do
		}
	}
}

// A pane's key may hide one that works everywhere only where that is meant.
func TestKeysHideNothingByAccident(t *testing.T) {
	for _, b := range bindings {
		for _, o := range bindings {
			if b.where == o.where || o.where != everywhere && o.where != lists || b.where == everywhere || b.where == lists {
				continue
			}
			for _, k := range b.keys {
				for _, l := range o.keys {
					if k == l {
						t.Errorf("%q in %s hides %q", b.do, b.where, o.do)
					}
				}
			}
		}
	}
}

func TestHelpFits(t *testing.T) {
	for _, b := range bindings {
		if n := width(b.help); n > 44 {
			t.Errorf("%q has %d cells", b.help, n)
		}
	}
}

func TestKeysDocumentIsFresh(t *testing.T) {
	b, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != KeysMarkdown() {
		t.Error("docs/keys.md is stale: run go generate ./internal/ui")
	}
}

// Every scope's keys lead to a deed, and the footer names only keys that work.
func TestEveryBindingIsReached(t *testing.T) {
	for _, b := range bindings {
		here := b.where
		if here == everywhere || here == lists {
			here = inQueue
		}
		for _, k := range b.keys {
			if got := deedOf(k, here); got != b.do {
				t.Errorf("%s in %s does %q, not %q", k, here, got, b.do)
			}
		}
	}
}

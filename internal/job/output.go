package job

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// OutputState is how far one file has come. Ranks, as in [State].
type OutputState int

// The states of an output.
const (
	OutputSeen      OutputState = 10 // stands on the share, perhaps half
	OutputAbandoned OutputState = 15 // never became whole; what is left stays on the share
	OutputWhole     OutputState = 20 // its last byte is there
	OutputVanished  OutputState = 25 // was whole, and was gone before it could be copied
	OutputStored    OutputState = 30 // stands in the user's folder, durable
)

var outputStateNames = map[OutputState]string{OutputSeen: "seen", OutputWhole: "whole", OutputAbandoned: "abandoned", OutputVanished: "vanished", OutputStored: "stored"}

// Settled reports whether nothing more is to be done for the file.
func (s OutputState) Settled() bool {
	return s == OutputAbandoned || s == OutputVanished || s == OutputStored
}

func (s OutputState) String() string { return outputStateNames[s] }

// MarshalText writes the state's name.
func (s OutputState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name; none reads as zero, an unknown one as seen.
func (s *OutputState) UnmarshalText(b []byte) error {
	if *s = OutputSeen; len(b) == 0 {
		*s = 0
	}
	for v, n := range outputStateNames {
		if n == string(b) {
			*s = v
		}
	}
	return nil
}

// OutputID names an output for ever: it is made of where the file stands on
// the share, so that seeing a file twice is seeing one output.
type OutputID string

// NewOutputID makes the id of the file at path (relative to the share) that
// the attempt with that prompt id wrote.
func NewOutputID(promptID string, path Path) OutputID {
	sum := sha256.Sum256([]byte(promptID + "\x00" + string(path)))
	return OutputID(hex.EncodeToString(sum[:12]))
}

// Output is one file of an attempt.
type Output struct {
	ID      OutputID    `json:"id"`
	Attempt int         `json:"attempt"`
	Node    string      `json:"node"`
	State   OutputState `json:"state"`
	// Source is where it stands on the share, relative to share.outputs.
	Source Path `json:"source"`
	// Dest is its place below the user's folder; empty until it is named.
	Dest string `json:"dest,omitempty"`
	// Aside says that Dest is the place for files nobody wants any more.
	Aside bool `json:"aside,omitempty"`
	// Size in bytes, Checksum as "algorithm:hex" of the bytes copied.
	Size     int64  `json:"size"`
	Checksum string `json:"checksum,omitempty"`
	// Text is the beginning of what a node wrote that shows its text in the page; it
	// belongs to the bytes of Checksum.
	Text string `json:"text,omitempty"`
	// Modified is the source's own time when its bytes were copied, before that,
	// outside the attempts' own folders, when it was attributed; with Size it tells
	// a source that was written again. Zero when unknown.
	Modified time.Time `json:"modified,omitzero"`
	// Beside is the place of a newer version where the file at Dest is not the
	// delivered one any more; recorded before the copy, empty otherwise.
	Beside   string    `json:"beside,omitempty"`
	Evidence Evidence  `json:"evidence"`
	SeenAt   time.Time `json:"seen_at"`
	WholeAt  time.Time `json:"whole_at,omitzero"`
	StoredAt time.Time `json:"stored_at,omitzero"`
	// RewrittenAt is when the last newer version was delivered; zero for never.
	RewrittenAt time.Time `json:"rewritten_at,omitzero"`
}

// DeliveredAt is when the bytes at Dest were delivered; zero before that.
func (o Output) DeliveredAt() time.Time {
	if o.RewrittenAt.After(o.StoredAt) {
		return o.RewrittenAt
	}
	return o.StoredAt
}

// merge joins what two facts say of one output. It commutes and is idempotent
// for observations: the first copy counts, and over that the last rewrite.
// Named is a decision, and the last one counts until the file is stored; after
// that it names the place of a newer version.
func (o Output) merge(in Output) Output {
	out := o
	switch {
	case in.counts(o):
		out.State, out.Size, out.Checksum, out.Text, out.Modified, out.RewrittenAt = in.State, in.Size, in.Checksum, in.Text, in.Modified, in.RewrittenAt
		if in.Dest != "" {
			out.Dest, out.Aside = in.Dest, in.Aside
		}
		if !in.RewrittenAt.IsZero() {
			out.Beside = ""
		}
	case in.State > o.State:
		out.State, out.Size, out.Modified = in.State, in.Size, in.Modified
	case in.State == o.State && o.State < OutputStored:
		out.Size = max(o.Size, in.Size)
		if in.Modified.After(o.Modified) {
			out.Modified = in.Modified
		}
	}
	if out.Dest == "" || in.State == 0 && in.Dest != "" && o.State < OutputStored {
		out.Dest, out.Aside = in.Dest, in.Aside
	}
	if in.State == 0 && o.State == OutputStored && in.Dest != o.Dest {
		out.Beside = in.Dest
	}
	if in.tells(o) {
		out.Evidence, out.Node = in.Evidence, in.Node
	}
	out.Source = cmp.Or(o.Source, in.Source)
	out.SeenAt = earliest(o.SeenAt, in.SeenAt)
	out.WholeAt = earliest(o.WholeAt, in.WholeAt)
	out.StoredAt = earliest(o.StoredAt, in.StoredAt)
	return out
}

// counts reports whether o is a copy that counts more than what is known, p.
func (o Output) counts(p Output) bool {
	switch {
	case o.State != OutputStored:
		return false
	case p.State < OutputStored:
		return true
	case o.RewrittenAt.IsZero() && p.RewrittenAt.IsZero():
		return cmp.Or(o.StoredAt.Compare(p.StoredAt), o.order(p)) < 0
	}
	return cmp.Or(o.RewrittenAt.Compare(p.RewrittenAt), o.order(p)) > 0
}

// order of two copies of one file that were made at one time, so that the one
// that counts does not depend on which was told first.
func (o Output) order(p Output) int {
	return cmp.Or(cmp.Compare(o.Dest, p.Dest), cmp.Compare(o.Checksum, p.Checksum), cmp.Compare(o.Size, p.Size), o.Modified.Compare(p.Modified), cmp.Compare(o.Text, p.Text))
}

// tells reports whether o names the node on better evidence than p; of equal
// ones a node's name is better than none, then the lesser.
func (o Output) tells(p Output) bool {
	return cmp.Or(cmp.Compare(o.Evidence.Strength(), p.Evidence.Strength()), cmp.Compare(o.Evidence, p.Evidence),
		named(o.Node)-named(p.Node), cmp.Compare(p.Node, o.Node)) > 0
}

func named(node string) int { return min(len(node), 1) }

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

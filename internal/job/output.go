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
	Size     int64     `json:"size"`
	Checksum string    `json:"checksum,omitempty"`
	Evidence Evidence  `json:"evidence"`
	SeenAt   time.Time `json:"seen_at"`
	WholeAt  time.Time `json:"whole_at,omitzero"`
	StoredAt time.Time `json:"stored_at,omitzero"`
}

// merge joins what two facts say of one output. It commutes and is idempotent
// for observations; Named is a decision, and the last one counts until the
// file is stored.
func (o Output) merge(in Output) Output {
	out := o
	switch {
	case in.State == OutputStored && (o.State < OutputStored || in.storedBefore(o)):
		out.State, out.Size, out.Checksum = in.State, in.Size, in.Checksum
		if in.Dest != "" {
			out.Dest, out.Aside = in.Dest, in.Aside
		}
	case in.State > o.State:
		out.State, out.Size = in.State, in.Size
	case in.State == o.State && o.State < OutputStored:
		out.Size = max(o.Size, in.Size)
	}
	if out.Dest == "" || in.State == 0 && in.Dest != "" && o.State < OutputStored {
		out.Dest, out.Aside = in.Dest, in.Aside
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

// storedBefore orders two copies of one file, so that the one that counts does
// not depend on which was told first.
func (o Output) storedBefore(p Output) bool {
	return cmp.Or(o.StoredAt.Compare(p.StoredAt), cmp.Compare(o.Dest, p.Dest),
		cmp.Compare(o.Checksum, p.Checksum), cmp.Compare(o.Size, p.Size)) < 0
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

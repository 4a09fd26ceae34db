package sshd

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Options is what a Server is made of. Listen, HostKey, Keys and Show are required.
type Options struct {
	Listen  string // host and port; port 0 takes a free one, see [Server.Addr]
	HostKey string // path of the private key; made when it is not there
	// Keys is the path of the file of those who may come in, in the form of
	// OpenSSH's authorized_keys, see [ParseKeys].
	Keys string
	// ReadOnlyKeys is the path of a file of keys that may only look; empty for none.
	ReadOnlyKeys string
	Idle         time.Duration // a visit without a key pressed ends after it; zero means never
	MaxVisits    int           // at once; zero means 16
	// Show shows the panel until the visitor leaves or ctx ends, and gives the
	// terminal back as it was. Its error is told to the visitor.
	Show   func(ctx context.Context, v Visit) error
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
}

// Visit is one panel for one visitor.
type Visit struct {
	Visitor
	Args []string // words of the command that came with the line; none for a plain login
	In   io.Reader
	Out  io.Writer
	// Environ is what the visitor's terminal says of itself, "NAME=value".
	Environ []string
	Size    Size
	Sizes   <-chan Size // each new size; the newest only
}

// Visitor is who came, and how.
type Visitor struct {
	Key
	Login string // the user name of the SSH login, which proves nothing
	From  string // address and port
}

// Size is that of a terminal, in cells. It has no name of its own, so that a
// panel takes it as it is.
type Size = struct{ Width, Height int }

func (o Options) withDefaults() Options {
	if o.MaxVisits <= 0 {
		o.MaxVisits = 16
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

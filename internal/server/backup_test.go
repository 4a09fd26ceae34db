package server

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestBackup(t *testing.T) {
	ledger := bytes.Repeat([]byte("page"), 100_000)
	tcp, socket := serve(t, newFake(), func(o *Options) {
		o.Backup = func(w io.Writer) (int64, error) { n, err := w.Write(ledger); return int64(n), err }
	})
	var got bytes.Buffer
	if n, err := socket.Backup(t.Context(), &got); err != nil || n != int64(len(ledger)) || !bytes.Equal(got.Bytes(), ledger) {
		t.Errorf("by the socket: %d bytes, %v", n, err)
	}
	got.Reset()
	if _, err := tcp.Backup(t.Context(), &got); job.AsError(err) == nil || job.AsError(err).Code != "socket_only" || got.Len() > 0 {
		t.Errorf("by TCP: %v, %d bytes", err, got.Len())
	}
}

func TestBackupThatFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, c := range []struct {
		name  string
		write int // bytes before it fails
		code  string
	}{{"at once", 0, "internal"}, {"in the middle", 1 << 20, "connection_lost"}} {
		t.Run(c.name, func(t *testing.T) {
			_, socket := serve(t, newFake(), func(o *Options) {
				o.Backup = func(w io.Writer) (int64, error) {
					if c.write > 0 {
						_, _ = w.Write(make([]byte, c.write))
					}
					return int64(c.write), broken
				}
			})
			_, err := socket.Backup(t.Context(), io.Discard)
			if e := job.AsError(err); e == nil || e.Code != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestBackupWithoutALedger(t *testing.T) {
	_, socket := serve(t, newFake(), nil)
	if _, err := socket.Backup(t.Context(), io.Discard); !errors.Is(err, &job.Error{Code: "no_backup"}) {
		t.Error(err)
	}
}

// A writer that fails is the caller's trouble, told as it is.
func TestBackupToAFullDisk(t *testing.T) {
	_, socket := serve(t, newFake(), func(o *Options) {
		o.Backup = func(w io.Writer) (int64, error) { n, err := w.Write(make([]byte, 1000)); return int64(n), err }
	})
	full := errors.New("full")
	if _, err := socket.Backup(t.Context(), failing{full}); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

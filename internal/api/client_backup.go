package api

import (
	"context"
	"io"
	"net/http"
)

// Backup writes a copy of the manager's ledger to w, and returns its size in
// bytes. It works over the unix socket only. With an error, what was written
// is not a backup.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	_, body, err := c.stream(ctx, call{verb: "get backup", method: http.MethodGet, path: PathBackup}, stall)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	out := &sink{w: w}
	n, err := io.Copy(out, body)
	switch {
	case err == nil:
		return n, nil
	case out.err != nil:
		return n, out.err
	}
	return n, c.explain(ctx, "get backup", err)
}

// sink keeps the error of a writer apart from that of the connection.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.err = err
	return n, err
}

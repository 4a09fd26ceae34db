package comfy

import (
	"bufio"
	"errors"
	"io"
)

// maxWork bounds the walks over one file, all chunks, boxes, elements, tags and keys
// together: a file made of nothing but headers ends them within 0.2 s, instead of
// holding a processor. A unit is some 20 ns. One pass over the bytes needs no bound.
const maxWork = 8 << 20

// partWork is what one part with a header of its own costs.
const partWork = 8

// windowSize is how far a small read looks ahead, in bytes: over a network share each
// read costs a round trip, and walks go from one small header to the next.
const windowSize = 16 << 10

// source is one file under judgement. The first failure of the reader sticks; a read
// past the end only says short. Not for use by two goroutines.
type source struct {
	r     io.ReaderAt
	size  int64
	err   error
	short bool
	work  int // done so far; see step

	window   []byte
	windowAt int64
}

// bytes returns exactly n bytes at off, or nil. Callers bound n by a constant, and do not
// write to them: reads that are near each other share a buffer.
func (s *source) bytes(off int64, n int) []byte {
	if s.err != nil || off < 0 || n < 0 || off > s.size-int64(n) {
		return nil
	}
	if at := off - s.windowAt; at >= 0 && at+int64(n) <= int64(len(s.window)) {
		return s.window[at : at+int64(n) : at+int64(n)]
	}
	b := make([]byte, max(n, int(min(windowSize, s.size-off))))
	got, err := s.r.ReadAt(b, off)
	if got < n {
		s.note(err)
		return nil
	}
	if n < windowSize {
		s.window, s.windowAt = b[:got], off
	}
	return b[:n:n]
}

// step counts units of work; false when it was too much. What the file is, is unknown
// then.
func (s *source) step(units int) bool {
	s.work += units
	return s.work <= maxWork
}

// part counts one more part of the file, as step does.
func (s *source) part() bool { return s.step(partWork) }

// upTo returns at most n bytes at off, fewer at the end of the file.
func (s *source) upTo(off int64, n int) []byte {
	if off < 0 || off >= s.size {
		return nil
	}
	return s.bytes(off, int(min(int64(n), s.size-off)))
}

// stream reads n bytes from off in order, through one buffer of 64 KiB.
func (s *source) stream(off, n int64) *bufio.Reader {
	return bufio.NewReaderSize(&noting{s, io.NewSectionReader(s.r, off, n)}, 64<<10)
}

// noting keeps a failure of the file apart from what a decoder says of its contents.
type noting struct {
	s  *source
	in io.Reader
}

func (n *noting) Read(b []byte) (int, error) {
	got, err := n.in.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		n.s.note(err)
	}
	return got, err
}

// fill reads exactly len(b) bytes of a stream.
func (s *source) fill(in io.Reader, b []byte) bool {
	if _, err := io.ReadFull(in, b); err != nil {
		s.note(err)
		return false
	}
	return true
}

// note keeps the reader's failure; an early end is a shorter file, not a failure.
func (s *source) note(err error) {
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.short = true
	case s.err == nil:
		s.err = err
	}
}

// sumNext hands the next n bytes of in to update without copying them.
func sumNext(in *bufio.Reader, n int64, update func([]byte)) error {
	for n > 0 {
		if _, err := in.Peek(1); err != nil {
			return err
		}
		b, err := in.Peek(int(min(n, int64(in.Buffered()))))
		if err != nil {
			return err
		}
		update(b)
		n -= int64(len(b))
		if _, err := in.Discard(len(b)); err != nil {
			return err
		}
	}
	return nil
}

// printable reports a four-character code as PNG, RIFF and MP4 use them. A hole of
// NUL bytes where a code belongs fails it.
func printable(code []byte) bool {
	for _, c := range code {
		if (c < 0x20 || c > 0x7e) && c != 0xa9 {
			return false
		}
	}
	return len(code) > 0
}

package sshd

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"charm.land/ssh"
)

// TestLimitsRow08IdleLinesLeaveThePortOpen: more connections of one address
// than the server ever held, none of which says anything, keep nobody out.
func TestLimitsRow08IdleLinesLeaveThePortOpen(t *testing.T) {
	w := newWorld(t, untilTold, nil)
	idle := func(n int) {
		for range n {
			conn, err := net.Dial("tcp", w.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil { // it was picked up
				t.Fatal(err)
			}
		}
	}
	idle(40)
	c, err := w.dial(w.key, false)
	if err != nil {
		t.Fatalf("nobody comes in any more: %v", err)
	}
	idle(40)
	w.visit(c) // who is in stays
	if n := len(w.openLines()); n > startupsOfSource+1 {
		t.Errorf("%d lines are held", n)
	}
}

func (w world) openLines() (out []*line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.lines {
		out = append(out, l)
	}
	return out
}

// TestLimitsRow08ManySources: when all places are taken, a new line has that of
// the source with the most lines, and of those of the oldest.
func TestLimitsRow08ManySources(t *testing.T) {
	s := &Server{opts: Options{}.withDefaults(), times: usual, lines: map[*line]bool{}}
	s.log, s.guard = s.opts.Logger, newGuard(s.opts.Now)
	pick := func(source int) *line {
		t.Helper()
		conn, other := net.Pipe()
		t.Cleanup(func() { conn.Close(); other.Close() })
		l, _ := s.pickUp(forgetful{}, addressed{conn, &net.TCPAddr{IP: net.IPv4(198, 51, byte(source>>8), byte(source)), Port: 1}}).(*line)
		if l == nil {
			t.Fatalf("a line of source %d is refused", source)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	honest := pick(1000)
	var first *line
	for n := range 3 * startupsMost { // of a hundred sources
		if l := pick(n % 100); n == 0 {
			first = l
		}
		if !s.lines[honest] {
			t.Fatalf("the only line of a source ended for line %d of the others", n)
		}
	}
	if n := len(s.lines); n != startupsMost || s.lines[first] {
		t.Errorf("%d lines are held; the first is among them: %v", n, s.lines[first])
	}
	for n := range startupsMost { // as many sources as places: then the oldest ends
		pick(2000 + n)
	}
	if n := len(s.lines); n != startupsMost || s.lines[honest] {
		t.Errorf("%d lines are held; the oldest is among them: %v", n, s.lines[honest])
	}
}

// TestLimitsRow08ModernAlgorithms reads what the server offers.
func TestLimitsRow08ModernAlgorithms(t *testing.T) {
	w := newWorld(t, untilTold, nil)
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "SSH-2.0-test\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(r, packet); err != nil {
		t.Fatal(err)
	}
	lists := packet[1+1+16:] // RFC 4253: padding length, message number, cookie
	for _, what := range []string{"key exchange", "host key", "cipher", "cipher", "MAC", "MAC"} {
		n := binary.BigEndian.Uint32(lists)
		offered := string(lists[4 : 4+n])
		lists = lists[4+n:]
		if offered == "" {
			t.Errorf("no %s is offered", what)
		}
		for name := range strings.SplitSeq(offered, ",") {
			if strings.Contains(name, "sha1") || strings.Contains(name, "cbc") || strings.Contains(name, "arcfour") || strings.Contains(name, "group1-") || name == "ssh-rsa" || name == "ssh-dss" {
				t.Errorf("the %s %s is offered", what, name)
			}
		}
	}
}

// addressed is a connection from somewhere.
type addressed struct {
	net.Conn
	from net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.from }

// forgetful is the context of a line that nobody serves.
type forgetful struct{ ssh.Context }

func (forgetful) SetValue(any, any) {}

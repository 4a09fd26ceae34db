package sshd

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// Key is a line of a keys file: who has the key, and what it is good for.
type Key struct {
	Name        string // the line's comment, made harmless; without one the fingerprint
	Fingerprint string // SHA256:...
	ReadOnly    bool

	from    []netip.Prefix // networks it may come from; none for any
	expires time.Time      // zero for never
}

// badFrom says why the key is not good for somebody at that address; empty
// when it is.
func (k Key) badFrom(addr netip.Addr, now time.Time) string {
	if !k.expires.IsZero() && !now.Before(k.expires) {
		return "its expiry-time has passed"
	}
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	if len(k.from) > 0 && !slices.ContainsFunc(k.from, in) {
		return "its from does not hold the address"
	}
	return ""
}

// LineError says which line of a keys file lets nobody in, and why.
type LineError struct {
	Line int // from 1
	Why  string
}

func (e LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }

// ParseKeys reads a keys file in the form of OpenSSH's authorized_keys. Of its
// options "read-only" (which is ours), from="NETWORK,..." and
// expiry-time="YYYYMMDD[HHMM[SS]][Z]" count; what OpenSSH has to forbid and is
// never allowed here is understood; a line with any other lets nobody in, since
// it was meant to hold its key to something. The keys are by their bytes on the
// wire. Of two lines of one key the first counts, and read-only of either.
func ParseKeys(raw []byte, readOnly bool) (map[string]Key, []LineError) {
	keys := map[string]Key{}
	var bad []LineError
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		text := bytes.TrimSpace(line)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		wire, k, err := parseLine(text)
		if err != nil {
			bad = append(bad, LineError{n, err.Error()})
			continue
		}
		k.ReadOnly = k.ReadOnly || readOnly
		if first, twice := keys[wire]; twice {
			bad = append(bad, LineError{n, "the key stands in a line before this one already"})
			first.ReadOnly = first.ReadOnly || k.ReadOnly
			k = first
		}
		keys[wire] = k
	}
	return keys, bad
}

func parseLine(text []byte) (wire string, k Key, err error) {
	pub, comment, options, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return "", k, fmt.Errorf("it has no key that is understood")
	}
	if strings.Contains(pub.Type(), "-cert-") {
		return "", k, fmt.Errorf("certificates are not understood, only keys")
	}
	for _, o := range options {
		if err := k.option(o); err != nil {
			return "", k, err
		}
	}
	k.Fingerprint = ssh.FingerprintSHA256(pub)
	if k.Name = harmless(comment); k.Name == "" {
		k.Name = k.Fingerprint
	}
	return string(pub.Marshal()), k, nil
}

// moot are options of OpenSSH about what nobody can do here anyway.
var moot = []string{"restrict", "pty", "no-agent-forwarding", "no-port-forwarding", "no-user-rc", "no-x11-forwarding",
	"agent-forwarding", "port-forwarding", "user-rc", "x11-forwarding"}

func (k *Key) option(o string) error {
	name, value, _ := strings.Cut(o, "=")
	name, value = strings.ToLower(name), strings.Trim(value, `"`)
	switch {
	case name == "read-only":
		k.ReadOnly = true
	case name == "from":
		return k.parseFrom(value)
	case name == "expiry-time":
		return k.parseExpiry(value)
	case !slices.Contains(moot, name):
		return fmt.Errorf("the option %.40q is not understood here; read-only, from and expiry-time are", name)
	}
	return nil
}

func (k *Key) parseFrom(value string) error {
	for word := range strings.SplitSeq(value, ",") {
		p, err := netip.ParsePrefix(word)
		if addr, aerr := netip.ParseAddr(word); aerr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("from has %.60q; only addresses and networks (100.64.0.0/10) are understood", word)
		}
		k.from = append(k.from, p.Masked())
	}
	return nil
}

func (k *Key) parseExpiry(value string) error {
	digits, utc := strings.CutSuffix(value, "Z")
	zone := time.Local
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
			k.expires = t
			return nil
		}
	}
	return fmt.Errorf("expiry-time is %.40q; write YYYYMMDD, with HHMM or HHMMSS when needed", value)
}

// maxName bounds a name, in runes.
const maxName = 64

// harmless is a comment as it may stand in a log and on a screen.
func harmless(comment string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.Join(strings.Fields(comment), " ") {
		if n == maxName {
			break
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			n++
		}
	}
	return b.String()
}

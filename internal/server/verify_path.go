package server

import "strings"

// nginxPath is the path by which nginx chooses a location for a request line's
// address: percent signs decoded once, also those of slashes and dots, runs of
// slashes made one, dot segments resolved (nginx 1.26, ngx_http_parse_complex_uri
// with merge_slashes on). False for what nginx answers with 400.
func nginxPath(uri string) (string, bool) {
	if !strings.HasPrefix(uri, "/") {
		return "", false
	}
	raw, ok := decodeOnce(uri)
	if !ok {
		return "", false
	}
	var out []string
	segments := strings.Split(raw, "/")[1:]
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "..":
			if len(out) == 0 {
				return "", false
			}
			out = out[:len(out)-1]
		case s != "." && (s != "" || last):
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/"), true
}

// decodeOnce decodes the path of an address, up to its query or fragment.
func decodeOnce(uri string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(uri); i++ {
		c := uri[i]
		switch {
		case c == '?' || c == '#':
			return out.String(), true
		case c <= ' ' || c == 0x7f:
			return "", false
		case c == '%':
			if i+2 >= len(uri) || !isHex(uri[i+1]) || !isHex(uri[i+2]) {
				return "", false
			}
			if c = unhex(uri[i+1])<<4 | unhex(uri[i+2]); c == 0 {
				return "", false
			}
			i += 2
		}
		out.WriteByte(c)
	}
	return out.String(), true
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// doubtful reports whether what stands behind the proxy might read an address
// in another way than nginx does: then it is refused, whoever asks. Browsers
// write no dot segments, and a folder's slash inside of a name as %2F.
func doubtful(uri, path string) bool {
	uri, _, _ = strings.Cut(uri, "?")
	decoded, _ := decodeOnce(uri)
	for s := range strings.SplitSeq(decoded, "/") {
		if s == "." || s == ".." || strings.HasPrefix(s, "..;") {
			return true
		}
	}
	lower := strings.ToLower(decoded)
	for _, twice := range []string{"%2e", "%2f", "%5c", "%25"} {
		if strings.Contains(lower, twice) {
			return true
		}
	}
	return strings.ContainsAny(uri, "#") || strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) || !plainStart(uri, path)
}

// plainStart reports whether the segments that can name a user stand in the
// address as they are meant: one, or two below /comfy/.
func plainStart(uri, path string) bool {
	named := strings.SplitN(path[1:], "/", 3)
	n := 1
	if named[0] == "comfy" {
		n = 2
	}
	start := "/" + strings.Join(named[:min(n, len(named))], "/")
	return uri == start || strings.HasPrefix(uri, start) && (uri[len(start)] == '/' || start == "/")
}

// shared are the first segments of addresses that are every user's: ours, whose
// handlers look for themselves, and what a browser asks for unasked.
var shared = map[string]bool{
	"": true, "api": true, "auth": true, "ws": true, "health": true, "readyz": true, "favicon.ico": true, "robots.txt": true,
}

// ownerOf is whose an address is by its first segment, or by its second below
// /comfy/; empty for everybody's. A segment that nobody knows belongs to a user
// of that name, that is to nobody else.
func ownerOf(path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case first == "comfy":
		second, _, _ := strings.Cut(rest, "/")
		if second == "" {
			return "comfy"
		}
		return second
	case shared[first]:
		return ""
	}
	return first
}

package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// trusts reports whether an address is one of the trusted proxies.
func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.opts.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// origin is the address that a request came from: the peer's or, when trusted
// proxies stand between, the first that they name and is not theirs.
func (s *Server) origin(r *http.Request) netip.Addr {
	at := peerIP(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(at); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = hop.Unmap()
	}
	return at
}

// neighbourhood is what one caller can choose addresses from: an IPv4 address,
// or a network of IPv6.
func neighbourhood(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

package config

import (
	"net"
	"net/netip"
	"net/url"
)

// Advice lists what is allowed but probably not meant, as Problems with codes
// of their own. A server logs them once.
func (c Config) Advice() Problems {
	var out Problems
	add := func(code, key, message, hint string) {
		out = append(out, &Problem{Code: code, Key: key, Message: message, Hint: hint})
	}
	switch {
	case len(c.Deployments) == 0:
		add("no_deployment", "deployment", "there is no deployment, so jobs will wait", "add a [[deployment]] to the configuration")
	case !c.anyActive():
		add("none_active", "deployment", "every deployment says active = false, so jobs will wait", "run qmtui workers use NAME when it is running, or write active = true for one")
	}
	for i, d := range c.Deployments {
		if (d.Key != "" || d.KeyEnv != "" || d.KeyFile != "") && isClearRemote(d.URL) {
			add("key_in_clear", deploymentKey(i)+".url", "the key of "+d.Name+" would travel over plain http", "use https")
		}
	}
	if !c.RequiresLogin() && c.Server.Listen != "" && !isLoopback(c.Server.Listen) {
		add("open_to_network", "server.listen", "without login only loopback peers and trusted proxies are served, but "+c.Server.Listen+" listens to the network", "set auth.htpasswd or auth.mode, or listen on 127.0.0.1")
	}
	if c.HeaderWithoutSecret() {
		add("header_without_secret", "server.user_header", "every process at an address of server.trusted_proxies may say that it is an admin, also a participant's ComfyUI on that machine", "set server.proxy_secret_file and let the proxy send the secret, see docs/nginx.md")
	}
	return out
}

// HeaderWithoutSecret reports whether whoever connects from an address of a
// trusted proxy is believed to be the user that they name.
func (c Config) HeaderWithoutSecret() bool {
	return c.RequiresLogin() && c.Server.Listen != "" && c.TrustedHeader() != "" && len(c.Server.TrustedProxies) > 0 && c.Server.ProxySecret == ""
}

func (c Config) anyActive() bool {
	for _, d := range c.Deployments {
		if d.Active {
			return true
		}
	}
	return false
}

func isClearRemote(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "http" && !isLoopbackHost(u.Hostname())
}

func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

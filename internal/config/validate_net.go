package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	userName       = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	deploymentWord = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$`)
	variableName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	headerName     = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)
)

func (v *verdict) server() {
	s := v.cfg.Server
	if s.Listen != "" && !isListen(s.Listen) {
		v.add(CodeAddress, "server.listen", "server.listen is "+quoteShort(s.Listen), `give host and port, such as "127.0.0.1:3000" or ":3000"`)
	}
	if l := v.cfg.SSH.Listen; l != "" && !isListen(l) {
		v.add(CodeAddress, "ssh.listen", "ssh.listen is "+quoteShort(l), `give host and port, such as "127.0.0.1:3022" or ":3022"`)
	}
	if l := v.cfg.SSH.Listen; l != "" && l == s.Listen && !strings.HasSuffix(l, ":0") {
		v.add(CodeAddress, "ssh.listen", "ssh.listen and server.listen are the same address", "give SSH a port of its own, such as 3022")
	}
	if err := checkSocket(s.Socket); err != nil {
		v.problems = append(v.problems, ProblemsOf(err)...)
	}
	if s.PublicURL != "" {
		v.url("server.public_url", s.PublicURL)
	}
	if s.UserHeader != "" && !headerName.MatchString(s.UserHeader) {
		v.add(CodeAddress, "server.user_header", "server.user_header is "+quoteShort(s.UserHeader), "give a header name, such as X-Remote-User")
	}
	v.secret("server.proxy_secret", s.ProxySecretEnv, s.ProxySecretFile, s.ProxySecret)
	if n := len(s.ProxySecret); n > 0 && n < 16 {
		v.add(CodeValue, "server.proxy_secret", "server.proxy_secret has fewer than 16 characters", "make one with: openssl rand -hex 32")
	}
	for _, p := range s.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			v.add(CodeAddress, "server.trusted_proxies", "server.trusted_proxies has "+quoteShort(p), `give networks such as "127.0.0.1/32" or "10.0.0.0/8"`)
		}
	}
}

func isListen(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(host, " /") {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// Proxies is server.trusted_proxies, parsed; what does not parse is left out
// and reported by Validate.
func (s Server) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s.TrustedProxies {
		if prefix, err := netip.ParsePrefix(p); err == nil {
			out = append(out, prefix.Masked())
		}
	}
	return out
}

// url accepts http and https addresses without a secret, a query or a fragment.
func (v *verdict) url(key, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.add(CodeURL, key, key+" is no http or https address: "+quoteShort(maskURL(s)), `give it whole, such as "https://host/path"`)
	case u.User != nil:
		v.add(CodeSecretInFile, key, key+" has a user or password in it", "take it out; use key_env or key_file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.add(CodeURL, key, key+" has a query or a fragment", "cut it off at the ? or #")
	}
}

// comfyCalls are the paths of ComfyUI's calls (server.py, 0.8.0 and 0.33.0).
var comfyCalls = []string{"prompt", "queue", "history", "ws", "view", "object_info", "system_stats", "interrupt", "free", "features",
	"upload/image", "upload/mask", "extensions", "embeddings", "models", "node_replacements", "userdata", "settings", "users",
	"workflow_templates", "global_subgraphs", "internal/folder_paths", "internal/logs", "experiment/models"}

// comfyCall matches them at the end of an address, with what some of them take
// behind, in any letter case.
var comfyCall = regexp.MustCompile(`(?i)/(?:(?:api/)?(?:` + strings.Join(comfyCalls, "|") + `)|api|(?:api/)?(?:history|object_info)/[^/]+|api/jobs(?:/[^/]+)?)$`)

// callInURL reports the path of one of ComfyUI's calls behind the address: calls
// are made below it.
func (v *verdict) callInURL(key, s string) {
	u, err := url.Parse(s)
	if err != nil {
		return
	}
	base := strings.TrimRight(s, "/")
	if call := comfyCall.FindString(strings.TrimRight(u.EscapedPath(), "/")); call != "" {
		v.add(CodeURL, key, key+" ends in "+call+", which is a call of ComfyUI and not its address", "use "+strconv.Quote(maskURL(strings.TrimSuffix(base, call))))
	}
}

// maskURL hides what may be a secret: everything before an @ and after a ?.
func maskURL(s string) string {
	s, _, _ = strings.Cut(s, "?")
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		scheme, _, ok := strings.Cut(s[:at], "://")
		if ok {
			return scheme + "://" + mask + s[at:]
		}
		return mask + s[at:]
	}
	return s
}

func (v *verdict) verda() {
	p := v.cfg.Verda
	if p.APIURL != "" {
		v.url("verda.api_url", p.APIURL)
	}
	v.secret("verda.client_secret", p.ClientSecretEnv, p.ClientSecretFile, p.ClientSecret)
	if (p.ClientID == "") != (p.ClientSecretEnv == "" && p.ClientSecretFile == "" && p.ClientSecret == "") {
		v.add(CodeRequired, "verda.client_id", "the control API needs both a client id and a client secret", "set verda.client_id and verda.client_secret_env, or neither")
	}
}

// secret judges the pair of key_env and key_file and what Load got from them.
func (v *verdict) secret(key, env, file string, got Secret) {
	switch {
	case env != "" && file != "":
		v.add(CodeValue, key+"_env", key+"_env and "+key+"_file are both set", "keep one")
	case env != "" && !variableName.MatchString(env):
		v.add(CodeSecretInFile, key+"_env", key+"_env is not the name of an environment variable; is it the secret itself?", "put the secret into a variable and write the variable's name here")
	case got == "" && env != "":
		v.add(CodeSecretMissing, key+"_env", key+"_env: the environment variable "+env+" is empty or not set", "set it where qmtui is started")
	case got == "" && file != "":
		v.add(CodeSecretMissing, key+"_file", key+"_file: nothing could be read from "+file, "write the secret into it and make it readable for this user")
	case oddSecret(got.Reveal()):
		v.add(CodeValue, key, key+" has more than one line, or letters that no key has", "give the secret alone")
	}
}

func (v *verdict) deployments() {
	seen := map[string]string{}
	active := []string{}
	for i, d := range v.cfg.Deployments {
		v.deployment(deploymentKey(i), d)
		word := envWord(d.Name)
		if other, dup := seen[word]; dup && d.Name != "" {
			v.add(CodeDuplicate, deploymentKey(i)+".name", fmt.Sprintf("two deployments are called %s and %s", quoteShort(other), quoteShort(d.Name)), "give each a name of its own (case, - and _ do not tell them apart)")
		}
		seen[word] = d.Name
		if d.Active {
			active = append(active, d.Name)
		}
	}
	if len(active) > 1 {
		i := slices.IndexFunc(v.cfg.Deployments, func(d Deployment) bool { return d.Active && d.Name == active[1] })
		v.add(CodeActive, deploymentKey(i)+".active", "more than one deployment is active: "+strings.Join(active, ", "), "write active = true for one of them")
	}
}

func (v *verdict) deployment(key string, d Deployment) {
	if d.Name != "" && !deploymentWord.MatchString(d.Name) {
		v.add(CodeValue, key+".name", key+".name is "+quoteShort(d.Name), "use letters, digits, - and _, at most 63")
	}
	if d.URL != "" {
		v.url(key+".url", d.URL)
		v.callInURL(key+".url", d.URL)
	}
	v.secret(key+".key", d.KeyEnv, d.KeyFile, d.Key)
}

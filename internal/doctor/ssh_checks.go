package doctor

import "fmt"

// The checks of the panel by SSH.
var (
	sshKeys = &Check{Name: "ssh-keys", Looks: "ssh.authorized_keys and ssh.read_only_keys, where ssh.listen is set: whose files they are, who may write to them, and every line",
		Rulings: []Ruling{
			{"good", OK, "every line lets somebody in", ""},
			{"off", OK, "there is no SSH server: ssh.listen is empty", ""},
			{"none", Warn, "there is no key, so nobody can come in", "put public keys there, one a line, as in ~/.ssh/id_ed25519.pub"},
			{"bad_line", Warn, "a line lets nobody in", "see the options that are understood in remote.md"},
			{"bad_file", Fail, "it is not a file, or others could let themselves in", "give it to the manager's user with mode 0600"},
			{"unreadable", Fail, "the manager's user may not read it", "give that user the right to read it"},
		}}
	sshDoor = &Check{Name: "ssh", Looks: "what answers at ssh.listen",
		Rulings: []Ruling{
			{"answers", OK, "an SSH server answers", ""},
			{"off", OK, "there is no SSH server: ssh.listen is empty, or takes any free port", ""},
			{"silent", Fail, "nobody answers", "see the manager's log: the port may be taken, or the address not be this machine's"},
			{"stranger", Fail, "something else than an SSH server answers", "find what holds the port (ss -ltnp), and set ssh.listen"},
			{"no_manager", Skip, "no manager runs", ""},
		}}
)

// SSHSeen is the panel's door by SSH.
type SSHSeen struct {
	Listen  string
	Manager bool // one answers
	AnyPort bool // Listen does not say which
	Files   []KeysSeen

	Error  string // why nobody answers; empty when somebody does
	Banner string // the first line of what answers
}

// KeysSeen is one file of keys.
type KeysSeen struct {
	Path       string
	Missing    bool
	Unreadable string // why; empty when it can be read
	Bad        string // what is wrong with the file itself
	Next       string // what to do about Bad
	BadLine    string // the first line that lets nobody in, and why
	Keys       int
}

func judgeSSH(o SSHSeen) []Result { return []Result{judgeSSHKeys(o), judgeSSHDoor(o)} }

func judgeSSHKeys(o SSHSeen) Result {
	c, keys := sshKeys, 0
	if o.Listen == "" {
		return c.say("off", "ssh.listen is empty, so there is no panel by SSH")
	}
	for _, f := range o.Files {
		switch {
		case f.Unreadable != "":
			return c.say("unreadable", "%s cannot be read: %s", f.Path, f.Unreadable)
		case f.Bad != "":
			return c.say("bad_file", "%s", f.Bad).next("%s", f.Next)
		}
		keys += f.Keys
	}
	for _, f := range o.Files {
		if f.BadLine != "" {
			return c.say("bad_line", "%s, %s", f.Path, f.BadLine)
		}
	}
	switch {
	case keys > 0:
		return c.say("good", "%s may come in by SSH", keysInWords(keys))
	case len(o.Files) > 0 && o.Files[0].Missing:
		return c.say("none", "%s does not exist, so nobody can come in by SSH", o.Files[0].Path)
	}
	return c.say("none", "%s has no key, so nobody can come in by SSH", o.Files[0].Path)
}

func keysInWords(n int) string {
	if n == 1 {
		return "one key"
	}
	return fmt.Sprintf("%d keys", n)
}

func judgeSSHDoor(o SSHSeen) Result {
	c := sshDoor
	switch {
	case o.Listen == "":
		return c.say("off", "ssh.listen is empty, so there is no panel by SSH")
	case o.AnyPort:
		return c.say("off", "ssh.listen takes any free port, which the manager's log names")
	case !o.Manager:
		return c.say("no_manager", "no manager runs, so nobody is expected at %s", o.Listen)
	case o.Error != "":
		return c.say("silent", "nobody answers at %s: %s", o.Listen, o.Error)
	case len(o.Banner) < 4 || o.Banner[:4] != "SSH-":
		return c.say("stranger", "what answers at %s is no SSH server: it says %.40q", o.Listen, o.Banner)
	}
	return c.say("answers", "an SSH server answers at %s", o.Listen)
}

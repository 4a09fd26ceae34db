package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// verdict gathers what is wrong with one configuration.
type verdict struct {
	cfg      Config
	problems Problems
}

// Validate judges every value and returns all Problems at once, or nil. It is
// pure: it asks no disk and no network, which is what `qmtui doctor` is for.
func (c Config) Validate() error {
	c.Deployments, c.SaveNodes = slices.Clone(c.Deployments), slices.Clone(c.SaveNodes) // fields are addressed, never changed
	v := &verdict{cfg: c}
	for _, f := range v.cfg.fields() {
		v.field(f)
	}
	v.server()
	v.users()
	v.order()
	v.folders()
	v.login()
	v.verda()
	v.deployments()
	v.saveNodes()
	v.upkeep()
	return v.problems.orNil()
}

func (v *verdict) add(code, key, message, hint string) {
	v.problems = append(v.problems, &Problem{Code: code, Key: key, Message: message, Hint: hint})
}

// field applies the tags.
func (v *verdict) field(f field) {
	if isEmpty(f.value) && (f.allowsZero() || !belowMin(f)) {
		if !f.allowsZero() {
			v.add(CodeRequired, f.key, f.key+" must not be "+emptyWord(f), "set it"+defaultHint(f))
		}
		return
	}
	v.word(f)
	v.bounds(f)
	v.path(f)
}

func isEmpty(v reflect.Value) bool {
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

func emptyWord(f field) string {
	if f.value.Kind() == reflect.String || f.value.Kind() == reflect.Slice {
		return "empty"
	}
	return `"off" or zero`
}

func defaultHint(f field) string {
	if text, ok := f.fallback(); ok && text != "" {
		return ", or leave it out for " + text
	}
	return ""
}

func (v *verdict) word(f field) {
	allowed, ok := f.tag.Lookup("one")
	if ok && !slices.Contains(strings.Split(allowed, ","), f.value.String()) {
		v.add(CodeValue, f.key, fmt.Sprintf("%s is %s", f.key, quoteShort(f.value.String())), "use one of "+strings.ReplaceAll(allowed, ",", ", "))
	}
}

func (v *verdict) bounds(f field) {
	if !isNumber(f.value) {
		return
	}
	low, high := f.tag.Get("min"), f.tag.Get("max")
	x := number(f.value)
	switch {
	case x < 0 || low != "" && x < parsed(f, low):
		v.add(CodeValue, f.key, f.key+" is "+text(f.value), "the least is "+cmp.Or(low, "0"))
	case high != "" && x > parsed(f, high):
		v.add(CodeValue, f.key, f.key+" is "+text(f.value), "the most is "+high)
	case x != x:
		v.add(CodeValue, f.key, f.key+" is not a number", "give a finite number")
	}
}

func belowMin(f field) bool {
	low := f.tag.Get("min")
	return low != "" && isNumber(f.value) && number(f.value) < parsed(f, low)
}

func isNumber(v reflect.Value) bool {
	return v.Type() != fileModeType && (v.CanInt() || v.CanFloat())
}

func number(v reflect.Value) float64 {
	if v.CanFloat() {
		return v.Float()
	}
	return float64(v.Int())
}

// parsed reads a bound in the field's own type; a test tries every tag.
func parsed(f field, bound string) float64 {
	x := reflect.New(f.value.Type()).Elem()
	if err := assignText(x, bound); err != nil {
		panic(fmt.Sprintf("bound of %s: %v", f.key, err))
	}
	return number(x)
}

// text is a value as it stands in a message.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case fmt.Stringer:
		return x.String()
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

func (v *verdict) order() {
	q := v.cfg.Queue
	v.shorter("share.poll", v.cfg.Share.Poll, "queue.settle", q.Settle, true)
	v.shorter("queue.settle", q.Settle, "queue.run_timeout", q.RunTimeout, false)
	v.shorter("queue.settle", q.Settle, "queue.evidence_timeout", q.EvidenceTimeout, false)
	v.shorter("queue.settle", q.Settle, "queue.late_window", q.LateWindow, true)
	v.shorter("share.poll", v.cfg.Share.Poll, "share.sweep", v.cfg.Share.Sweep, true)
	v.shorter("queue.late_window", q.LateWindow, "retention.jobs", v.cfg.Retention.Jobs, true)
	v.shorter("queue.run_timeout", q.RunTimeout, "retention.share", v.cfg.Retention.Share, false)
	v.shorter("queue.late_window", q.LateWindow, "retention.share", v.cfg.Retention.Share, false)
	for i, d := range v.cfg.Deployments {
		v.shorter(deploymentKey(i)+".keepalive", d.Keepalive, "queue.evidence_timeout", q.EvidenceTimeout, false)
	}
}

// shorter: a must be less than b (or equal where that is said); zero has no order.
func (v *verdict) shorter(aKey string, a Duration, bKey string, b Duration, orEqual bool) {
	if a <= 0 || b <= 0 || a < b || orEqual && a == b {
		return
	}
	v.add(CodeOrder, aKey, fmt.Sprintf("%s (%s) must be shorter than %s (%s)", aKey, a, bKey, b), "shorten the first or lengthen the second")
}

func (v *verdict) login() {
	a := v.cfg.Auth
	if a.Mode == "login" && a.Htpasswd == "" && v.cfg.Server.UserHeader == "" {
		v.add(CodeLogin, "auth.mode", "auth.mode is login, but there is neither a password file nor a user header", "set auth.htpasswd or server.user_header")
	}
	v.names("auth.admins", a.Admins)
	v.names("metrics.readers", v.cfg.Metrics.Readers)
}

// names reports what is not the name of a user.
func (v *verdict) names(key string, users []string) {
	for _, name := range users {
		if !userName.MatchString(name) {
			v.add(CodeValue, key, key+" has "+quoteShort(name), "a user is letters, digits, _ and -, at most 100")
		}
	}
}

// saveNodes reports rows that say nothing, twice, or what cannot be true.
func (v *verdict) saveNodes() {
	seen := map[string]bool{}
	for i, n := range v.cfg.SaveNodes {
		key, who := saveNodeKey(i), "the save node "+quoteShort(n.Class)
		saves := n.Folder != "" || n.Prefix != "" || n.Path != ""
		switch {
		case n.Class != "" && seen[n.Class]:
			v.add(CodeValue, key+".class", who+" stands in the file twice", "keep one of the two tables")
		case !saves && n.None == "":
			v.add(CodeValue, key+".class", who+" says neither which input leads its files nor that it saves nothing", "give folder, prefix, path or none")
		case n.None != "" && (saves || n.Name != "" || len(n.OffWhen) > 0):
			v.add(CodeValue, key+".none", who+" saves nothing and yet names inputs that lead files", "take none out, or the others")
		case n.Name != "" && n.Folder == "":
			v.add(CodeValue, key+".name", who+" has a plain name and no folder", "give folder, or write prefix when the name may have folders")
		case n.Folder != "" && (n.Prefix != "" || n.Path != "") || n.Prefix != "" && n.Path != "":
			v.add(CodeValue, key+".folder", who+" has several inputs that get a folder in front", "keep folder and make the other its name, or keep one of them")
		}
		seen[n.Class] = true
		for _, c := range n.OffWhen {
			if input, _, ok := strings.Cut(c, "="); !ok || strings.Trim(input, " !") == "" {
				v.add(CodeValue, key+".off_when", fmt.Sprintf("%s has the condition %s", who, quoteShort(c)), "write input = value or input != value")
			}
		}
	}
}

func (v *verdict) users() {
	u := v.cfg.Users
	if u.CopiesPerUser > u.Copies && u.Copies > 0 {
		v.add(CodeValue, "users.copies_per_user", fmt.Sprintf("users.copies_per_user (%d) is more than users.copies (%d)", u.CopiesPerUser, u.Copies), "lower the first or raise the second")
	}
	v.mode("users.file_mode", u.FileMode, 0o600, "the owner must read and write: 0644, 0640 or 0600")
	v.mode("users.dir_mode", u.DirMode, 0o700, "the owner must read, write and enter: 0755, 0750 or 0700")
	if strings.ContainsAny(u.Cancelled, `/\`) || strings.HasPrefix(u.Cancelled, ".") {
		v.add(CodePath, "users.cancelled", "users.cancelled is "+quoteShort(u.Cancelled), "give one plain folder name, such as cancelled")
	}
}

func (v *verdict) mode(key string, m, need FileMode, hint string) {
	if m != 0 && m&need != need || m > 0o777 {
		v.add(CodeValue, key, key+" is "+m.String(), hint)
	}
}

package config

import (
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad: no bytes panic; every problem has a code and a place; what loads
// can be judged and printed, and the print loads to an equal Config.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("deployment = [{name = 'a'}, {url = 1}]\n[queue.x]\ny = 1979-05-27"))
	f.Add([]byte("[[queue]]\n[[queue.x]]\n[queue.x.\"y.z\"]\n'' = [[1], {a = 2}]"))
	f.Add([]byte("[server]\nlisten = \"\\u0000\\u007f\"\n[[deployment]]\nurl = 'a@b?c'\nkey_env = ' '"))
	f.Add([]byte("[[d.x]]\n[[d.x.y]]\n[[d.x.y]]"))
	f.Add([]byte("\ufeff[tag]\r\nprefix = false\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, src, err := newLoader(Options{Env: []string{}}).load("x.toml", data)
		if err != nil {
			for _, p := range ProblemsOf(err) {
				if p.Code == "" || p.File != "x.toml" || p.Line < 1 || p.Line > strings.Count(string(data), "\n")+1 {
					t.Errorf("%#v", p)
				}
			}
			return
		}
		hidden := strings.Contains(string(Effective(cfg, src)), mask)
		_ = src.Locate(cfg.Validate())
		cfg.Advice()
		again, _, err := newLoader(Options{Env: []string{}}).load("y.toml", Effective(cfg, src))
		if err != nil || !hidden && !reflect.DeepEqual(cfg, again) {
			t.Errorf("%v\nwas    %#v\nbecame %#v", err, cfg, again)
		}
	})
}

// A file as deep as it is long must not exhaust the stack.
func TestDeepNestingIsAnOrdinaryProblem(t *testing.T) {
	for _, text := range []string{
		"queue = " + strings.Repeat("[", maxFile-10),
		"queue = " + strings.Repeat("[", maxFile/2-10) + strings.Repeat("]", maxFile/2-10),
		"queue = " + strings.Repeat("{a=", maxFile/4-10) + "1" + strings.Repeat("}", maxFile/4-10),
		strings.Repeat("a.", maxFile/2-10) + "a = 1",
	} {
		if _, _, err := newLoader(Options{Env: []string{}}).load("x.toml", []byte(text)); len(ProblemsOf(err)) != 1 {
			t.Errorf("%.20s...: %.100v", text, err)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// checkFolders looks at the folders and the password file that the configuration
// names. uid is whose rights this thread has. problems keep the manager from its work; advice does not.
func checkFolders(cfg config.Config, src config.Source, uid int) (problems, advice config.Problems) {
	if src.Of("share.outputs").Kind == config.FromHome {
		return checkState(cfg, uid), nil // the manager makes the others itself
	}
	if p := missingFolder("share_missing", "share.outputs", cfg.Share.Outputs, "mount it, or set share.outputs"); p != nil {
		problems = append(problems, p)
	} else if !writable(cfg.Share.Outputs) {
		advice = append(advice, &config.Problem{Code: "share_not_writable", Key: "share.outputs",
			Message: fmt.Sprintf("user id %d may not write to %s: outputs are delivered, and nothing there can be cleaned", uid, cfg.Share.Outputs),
			Hint:    "that is how it should be when the share is mounted read-only; keep retention.share off"})
	}
	problems = append(problems, checkUsers(cfg, uid)...)
	problems = append(problems, checkInputs(cfg, uid)...)
	problems = append(problems, checkLogin(cfg)...)
	return append(problems, checkState(cfg, uid)...), advice
}

// checkUsers looks at the folder of the users' folders, and at each of these.
func checkUsers(cfg config.Config, uid int) config.Problems {
	dir := cfg.Users.Outputs
	if p := missingFolder("users_missing", "users.outputs", dir, "make it, or set users.outputs"); p != nil {
		return config.Problems{p}
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return config.Problems{{Code: "users_not_readable", Key: "users.outputs", Message: fmt.Sprintf("user id %d may not read %s: %v", uid, dir, plain(err)),
			Hint: "give that user id the right to it"}}
	}
	var out config.Problems
	if !writable(dir) {
		out = append(out, notWritable(dir, uid))
	}
	for _, n := range names {
		if path := filepath.Join(dir, n.Name()); n.IsDir() && !writable(path) {
			out = append(out, notWritable(path, uid))
		}
	}
	return out
}

// checkInputs looks at the folders between which inputs are carried.
func checkInputs(cfg config.Config, uid int) config.Problems {
	if !cfg.CarriesInputs() {
		return nil
	}
	var out config.Problems
	if p := missingFolder("inputs_missing", "share.inputs", cfg.Share.Inputs, "mount it, or set share.inputs"); p != nil {
		out = append(out, p)
	} else if !writable(cfg.Share.Inputs) {
		out = append(out, &config.Problem{Code: "inputs_not_writable", Key: "share.inputs",
			Message: fmt.Sprintf("user id %d may not write to %s: jobs that load files would wait for ever", uid, cfg.Share.Inputs),
			Hint:    "mount it for writing, and give that user id the right to it"})
	}
	if p := missingFolder("inputs_missing", "users.inputs", cfg.Users.Inputs, "make it, or set users.inputs"); p != nil {
		out = append(out, p)
	}
	return out
}

// checkLogin reads the password file as the manager does at its start.
func checkLogin(cfg config.Config) config.Problems {
	path := cfg.Auth.Htpasswd
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return config.Problems{{Code: "no_password_file", Key: "auth.htpasswd", Message: "there is no password file at " + path,
			Hint: "make it with \"sudo qmtui users add USER\", or correct auth.htpasswd"}}
	}
	if _, err := (server.PasswordFile{Path: path}).Users(); err != nil {
		e := job.AsError(err)
		return config.Problems{{Code: e.Code, Key: "auth.htpasswd", Message: e.Message, Hint: e.Hint}}
	}
	return nil
}

func notWritable(path string, uid int) *config.Problem {
	return &config.Problem{Code: "users_not_writable", Key: "users.outputs",
		Message: fmt.Sprintf("user id %d may not write to %s%s", uid, path, owner(path)),
		Hint:    fmt.Sprintf("let user id %d write there (chown or setfacl), or run the manager as its owner", uid)}
}

// owner says whose a folder is.
func owner(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	return fmt.Sprintf(", which belongs to user id %d with mode %04o", st.Uid, st.Mode&0o7777)
}

// checkState looks at the state folder, or at the nearest folder above it that
// is there, in which it would be made.
func checkState(cfg config.Config, uid int) config.Problems {
	dir, err := cfg.StateDir(nil)
	if err != nil {
		return config.ProblemsOf(err)
	}
	at := dir
	for {
		st, err := os.Stat(at)
		switch {
		case err == nil && !st.IsDir():
			return config.Problems{{Code: "state_not_writable", Key: "state.dir", Message: at + " is not a folder", Hint: "set state.dir"}}
		case err == nil && !writable(at):
			return config.Problems{{Code: "state_not_writable", Key: "state.dir", Message: fmt.Sprintf("user id %d may not write to %s", uid, at),
				Hint: "give that user id the folder, or set state.dir"}}
		case err == nil || at == filepath.Dir(at):
			return nil
		}
		at = filepath.Dir(at)
	}
}

func missingFolder(code, key, path, hint string) *config.Problem {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &config.Problem{Code: code, Key: key, Message: path + " does not exist", Hint: hint}
	case err != nil:
		return &config.Problem{Code: code, Key: key, Message: fmt.Sprintf("cannot look at %s: %v", path, plain(err)), Hint: hint}
	case !st.IsDir():
		return &config.Problem{Code: code, Key: key, Message: path + " is not a folder", Hint: hint}
	}
	return nil
}

// writable asks the system whether this user may make files there. It makes none.
func writable(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// plain is an error without the path that the sentence already has.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

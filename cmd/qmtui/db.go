package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

func dbCommand(a *app) *cobra.Command {
	return group("db", "Back up, check or compact the database",
		"  qmtui db backup /backup/qmtui-monday.db\n  qmtui db check\n  qmtui db compact",
		backupCommand(a), dbCheckCommand(a), compactCommand(a))
}

func backupCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "backup FILE", Short: "Write a sound copy of the database, also while the manager runs", Args: takes(1, 1, "the FILE to write"),
		Long:    "Asks the running manager for a copy, or copies the file itself when none runs. It\nnever writes over a file. A copy can be used as it is: put it in place of qmtui.db.",
		Example: "  qmtui db backup /backup/qmtui-$(date +%F).db"}
	c.RunE = func(c *cobra.Command, args []string) error { return a.backup(c.Context(), args[0]) }
	return c
}

func (a *app) backup(ctx context.Context, file string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	var n int64
	err = createFile(file, func(w io.Writer) error {
		n, err = c.Backup(ctx, w)
		if n == 0 && errors.Is(err, api.ErrNoDaemon) && a.local() {
			n, err = a.offlineBackup(w)
		}
		return err
	})
	if err != nil {
		return err
	}
	a.printf("%s, %s\n", printable(file), size(n))
	return nil
}

// offlineBackup copies the database that no manager has open.
func (a *app) offlineBackup(w io.Writer) (int64, error) {
	s, err := a.openStore("")
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	return s.Backup(w)
}

// databasePath is the database of the configuration; one that is not there is an error.
func (a *app) databasePath(named string) (string, error) {
	path := named
	if path == "" {
		cfg, _, err := a.config()
		if err != nil {
			return "", err
		}
		dir, err := cfg.StateDir(nil)
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, databaseFile)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", &job.Error{Code: "no_database", Class: job.NotFound, Message: "there is no database at " + path, Hint: "check --config; the manager makes one at its first start"}
	}
	return path, nil
}

func (a *app) openStore(named string) (*store.Store, error) {
	path, err := a.databasePath(named)
	if err != nil {
		return nil, err
	}
	return store.Open(store.Options{Path: path})
}

func dbCheckCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "check [FILE]", Short: "Read everything in the database and hold it against itself", Args: takes(0, 1, "the FILE"),
		Long: `Checks the pages of the file, folds every job's facts again and compares the
indexes. No manager may run: check a backup instead, named as FILE.`,
		Example: "  qmtui db check\n  qmtui db backup /tmp/copy/qmtui.db && qmtui db check /tmp/copy/qmtui.db"}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		file := ""
		if len(args) > 0 {
			file = args[0]
		}
		return a.checkStore(file, *asJSON)
	}
	return c
}

func (a *app) checkStore(file string, asJSON bool) error {
	s, err := a.openStore(file)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	problems, err := s.Check()
	if err != nil {
		return err
	}
	st := s.Stats()
	if asJSON {
		err = writeJSON(a.stdout, map[string]any{"file": st.Path, "bytes": st.Size, "free_bytes": st.Free, "jobs": st.Jobs, "open_jobs": st.OpenJobs,
			"rev": st.Rev, "sound": len(problems) == 0, "problems": append([]store.Problem{}, problems...)})
	} else {
		a.printf("%s: %s (%s of it free), %s, %d of them open or still watched for late files, revision %d\n", printable(st.Path), size(st.Size), size(st.Free), plural(st.Jobs, "job"), st.OpenJobs, st.Rev)
		for _, p := range problems {
			a.printf("  %s: %s\n", printable(p.Where), printable(p.What))
		}
	}
	if err == nil && len(problems) > 0 {
		err = &job.Error{Code: "state_unsound", Class: job.Internal, Message: "the database has " + plural(len(problems), "problem"), Hint: "keep a copy of it and put the last backup in its place"}
	}
	return err
}

func compactCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "compact", Short: "Give the database's unused space back", Args: takes(0, 0, ""),
		Long:    "Rewrites the database without its unused pages. No manager may run. One that is more\nthan half empty is compacted by itself at the manager's start.",
		Example: "  qmtui db compact"}
	asJSON := jsonFlag(c)
	c.RunE = func(*cobra.Command, []string) error { return a.compact(*asJSON) }
	return c
}

func (a *app) compact(asJSON bool) error {
	path, err := a.databasePath("")
	if err != nil {
		return err
	}
	before, after, err := store.Compact(store.Options{Path: path}, byteProgress(a.stderr, "compacting"))
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"file": path, "before_bytes": before, "after_bytes": after})
	}
	a.printf("%s: %s before, %s now\n", printable(path), size(before), size(after))
	return nil
}

// byteProgress is a bar for a number of bytes on a terminal, and nil elsewhere.
func byteProgress(w io.Writer, what string) func(done, total int64) {
	if !isTerminal(w) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
				progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
		}
		_ = bar.Set64(done)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func getCommand(a *app) *cobra.Command {
	var to string
	c := &cobra.Command{Use: "get ID", Short: "Fetch a delivered file", Args: takes(1, 1, "the output's ID"),
		Long:    "Fetches the bytes of a delivered output and holds them against its checksum. It never\nwrites over a file.",
		Example: "  qmtui outputs get 3b9f21c07a44d1e6\n  qmtui outputs get 3b9f21c07a44d1e6 --to - | ffprobe -"}
	c.Flags().StringVarP(&to, "to", "o", "", "file or folder to write to, - for standard output (default: here, under its own name)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if to == "-" && isTerminal(a.stdout.Writer) {
			return usage(c.CommandPath(), "standard output is a terminal, which is no place for the bytes of a picture")
		}
		return a.get(c.Context(), job.OutputID(args[0]), to)
	}
	return c
}

func (a *app) get(ctx context.Context, id job.OutputID, to string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	d, err := c.OpenOutput(ctx, id, 0)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if to == "-" {
		return a.receive(a.stdout, d)
	}
	path, err := target(to, d.Name)
	if err != nil {
		return err
	}
	if err := createFile(path, func(w io.Writer) error { return a.receive(w, d) }); err != nil {
		return err
	}
	a.printf("%s\n", printable(path))
	return nil
}

// target is where a download goes. The name came over the wire: only its last
// part is used, and only when it is a plain name.
func target(to, name string) (string, error) {
	name = filepath.Base(filepath.FromSlash(name))
	if st, err := os.Stat(to); to == "" || err == nil && st.IsDir() {
		if name == "." || name == ".." || name == string(filepath.Separator) || strings.ContainsRune(name, 0) {
			return "", failed("bad_name", "the file has no name that could be used here", "name one with --to")
		}
		return filepath.Join(to, name), nil
	}
	return to, nil
}

// receive copies a download and checks its checksum.
func (a *app) receive(w io.Writer, d *api.Download) error {
	sum := xxhash.New()
	out := io.MultiWriter(w, sum)
	if isTerminal(a.stderr) {
		bar := progressbar.NewOptions64(d.Size, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(printable(shorten(d.Name, 40))), progressbar.OptionClearOnFinish())
		out = io.MultiWriter(w, sum, bar)
	}
	if _, err := io.Copy(out, d); err != nil {
		return fmt.Errorf("fetch the file: %w", err)
	}
	want, known := strings.CutPrefix(d.Checksum, "xxh64:")
	if got := fmt.Sprintf("%016x", sum.Sum64()); known && got != want {
		return failed("checksum_differs", fmt.Sprintf("the bytes have checksum xxh64:%s, and the output says xxh64:%s", got, want), "fetch it again; if that goes on, look at the user's folder")
	}
	return nil
}

// createFile writes a new file: under a temporary name beside it until it is
// whole, and never over a file that is there.
func createFile(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fileExists(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".qmtui-*.part")
	if err != nil {
		return unwritable(path, err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return unwritable(path, err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fileExists(path)
		}
		return unwritable(path, err)
	}
	return nil
}

func fileExists(path string) error {
	return failed("file_exists", path+" is there already", "name another file")
}

func unwritable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return failed("file_unwritable", fmt.Sprintf("cannot write %s: %v", path, err), "check the path and the space on its disk")
}

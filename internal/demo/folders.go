package demo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Folders reads every file in the users' folders below dir, with a checksum
// of the bytes on disk. Temporary files of copies under way are left out.
func Folders(dir string) ([]Delivered, error) {
	var all []Delivered
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".qmtui-") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		user, below, ok := strings.Cut(filepath.ToSlash(rel), "/")
		if !ok {
			return fmt.Errorf("%s stands in no user's folder", rel)
		}
		size, sum, err := checksum(p)
		all = append(all, Delivered{User: user, Path: below, Size: size, Checksum: sum})
		return err
	})
	return all, err
}

func checksum(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	h := xxhash.New()
	size, err = io.Copy(h, f)
	return size, fmt.Sprintf("xxh64:%016x", h.Sum64()), errors.Join(err, f.Close())
}

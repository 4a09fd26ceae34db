package store

import (
	"errors"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"
)

// compactAbove is the size in bytes below which a half-free file is left alone.
const compactAbove = 32 << 20

// Compact rewrites the ledger without its free pages; bbolt files never shrink
// by themselves. No process may have it open. Progress (nil for nobody) is in
// bytes; before and after are the sizes of the file.
func Compact(o Options, progress func(done, total int64)) (before, after int64, err error) {
	if progress != nil {
		o.Progress = progress
	}
	o = o.withDefaults()
	if _, err := os.Stat(o.Path); err != nil {
		return 0, 0, trouble("find the ledger", err)
	}
	lock, err := claim(o)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	db, err := openDB(o)
	if err != nil {
		return 0, 0, err
	}
	before = fileSize(o.Path)
	if err := compactClosing(o, db); err != nil {
		return before, before, err
	}
	return before, fileSize(o.Path), nil
}

func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// mostlyFree reports whether over half of a big file is free pages.
func mostlyFree(db *bolt.DB) bool {
	st := db.Stats()
	free := int64(st.FreePageN+st.PendingPageN) * int64(db.Info().PageSize)
	used := usedSize(db)
	return used > compactAbove && free > used/2
}

// usedSize is how far the file has ever been written, in bytes.
func usedSize(db *bolt.DB) (size int64) {
	_ = db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	return size
}

func compactOpen(o Options, db *bolt.DB) (*bolt.DB, error) {
	if err := compactClosing(o, db); err != nil {
		return nil, err
	}
	return openDB(o)
}

// compactClosing copies db beside itself, closes it and puts the copy in its
// place. The old file stays when anything fails.
func compactClosing(o Options, db *bolt.DB) error {
	temp := o.Path + ".compact"
	err := os.Remove(temp)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = copyDB(temp, o, db)
	}
	err = errors.Join(err, db.Close())
	if err == nil {
		err = keepOwner(temp, o.Path)
	}
	if err != nil {
		return trouble("compact the ledger", errors.Join(err, os.RemoveAll(temp)))
	}
	return install(temp, o.Path)
}

func copyDB(path string, o Options, src *bolt.DB) error {
	dst, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: o.Timeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = src.View(func(tx *bolt.Tx) error {
		c := copier{dst: dst, progress: o.Progress, total: tx.Size()}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error { return c.bucket(name, b) })
	})
	return errors.Join(err, dst.Close())
}

// copier copies buckets of plain keys, with their sequences.
type copier struct {
	dst         *bolt.DB
	progress    func(done, total int64)
	done, total int64
}

// copyChunk bounds one transaction of a copy, in bytes.
const copyChunk = 8 << 20

func (c *copier) bucket(name []byte, src *bolt.Bucket) error {
	cur := src.Cursor()
	k, v := cur.First()
	for {
		err := c.dst.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			b.FillPercent = 0.9
			for size := 0; k != nil && size < copyChunk; k, v = cur.Next() {
				if err := b.Put(k, v); err != nil {
					return err
				}
				size += len(k) + len(v)
				c.done += int64(len(k) + len(v))
			}
			return b.SetSequence(src.Sequence())
		})
		if err != nil {
			return err
		}
		c.progress(min(c.done, c.total), c.total)
		if k == nil {
			return nil
		}
	}
}

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// createMissing makes a new database under another name and renames it into
// place, so that a half-made one is never opened. The lock is held.
func createMissing(o Options) error {
	_, err := os.Stat(o.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp := o.Path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return trouble("clear a half-made ledger", err)
	}
	if err := createAt(temp, o); err != nil {
		return trouble("create the ledger", errors.Join(err, os.Remove(temp)))
	}
	return install(temp, o.Path)
}

func createAt(path string, o Options) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: o.Timeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		born, err := o.Now().UTC().Truncate(time.Second).MarshalText() // never later than it was: files from before are not ours
		if err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(keyBorn, born), meta.Put(keySchema, bytesOf(uint64(len(steps)))), meta.Put(keyRev, bytesOf(0)))
	})
	return errors.Join(err, db.Close())
}

// install makes temp durable and puts it in the place of path.
func install(temp, path string) error {
	if err := syncPath(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return trouble("put the ledger in place", err)
	}
	return syncPath(filepath.Dir(path))
}

// syncPath makes a file, or the names in a folder, durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open for sync: %w", err)
	}
	err = f.Sync()
	return trouble("sync "+path, errors.Join(err, f.Close()))
}

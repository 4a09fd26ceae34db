package store

import (
	"io"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a sound copy of the whole ledger while it is in use, and
// returns its size in bytes. Give it a file rather than a slow connection: as
// long as it runs, the pages that are freed are not used again.
func (s *Store) Backup(w io.Writer) (n int64, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		if n, err = tx.WriteTo(w); err != nil {
			return trouble("write the backup", err)
		}
		return nil
	})
	return n, err
}

package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// headKey sorts as the jobs were submitted, those of one moment by their ids.
func headKey(submitted time.Time, id job.ID) []byte {
	k := binary.BigEndian.AppendUint64(nil, uint64(submitted.Unix())^1<<63)
	k = binary.BigEndian.AppendUint32(k, uint32(submitted.Nanosecond()))
	return append(k, id...)
}

// submittedOf reads the time of a headKey.
func submittedOf(k []byte) (time.Time, job.ID, bool) {
	if len(k) <= 12 {
		return time.Time{}, "", false
	}
	sec := int64(binary.BigEndian.Uint64(k) ^ 1<<63)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(k[8:]))).UTC(), job.ID(k[12:]), true
}

// idemKey is short whatever the caller sent.
func idemKey(user, key string) []byte {
	sum := sha256.Sum256([]byte(user + "\x00" + key))
	return sum[:20]
}

// under joins a name and what stands below it; below is nil for the prefix alone.
func under(name string, below []byte) []byte {
	return append(append([]byte(name), 0), below...)
}

// keysUnder lists the keys that begin with prefix.
func keysUnder(b *bolt.Bucket, prefix []byte) [][]byte {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

func hasUnder(b *bolt.Bucket, prefix []byte) bool {
	k, _ := b.Cursor().Seek(prefix)
	return bytes.HasPrefix(k, prefix)
}

func deleteAll(b *bolt.Bucket, keys [][]byte) error {
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read a record: %w", err)
	}
	return nil
}

func put(b *bolt.Bucket, key []byte, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	return b.Put(key, value)
}

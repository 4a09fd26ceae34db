package store

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// Options say where the ledger lives. Only Path must be set.
type Options struct {
	// Path of the database. Its folder is made (0700) when it is missing and
	// also holds the lock file, qmtui.lock.
	Path string
	// Timeout is how long to wait for the lock of another process. Zero means 1s.
	Timeout time.Duration
	// InitialMmapSize in bytes: below it a write never waits for readers. It
	// takes addresses, neither memory nor disk. Zero means 64 GiB, or 128 MiB
	// where addresses have 32 bits; a process that may not have that many
	// (ulimit -v) does with what the file needs.
	InitialMmapSize int
	// Now tells the time for the ledger's own stamps: its birth, the lock,
	// rejects. Nil means time.Now.
	Now func() time.Time
	// Progress hears of a compaction at the start, in bytes. Nil for nobody.
	Progress func(done, total int64)
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, time.Second)
	if o.InitialMmapSize == 0 {
		o.InitialMmapSize = 128 << 20
		if math.MaxInt > math.MaxInt32 {
			o.InitialMmapSize = 64 << 30
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	return o
}

// Store is the ledger of engine/ports.go on bbolt. Its methods may be called
// from any goroutine.
type Store struct {
	options Options
	lock    *lockFile
	db      *bolt.DB
	born    time.Time
	packer  packer
	readers readers

	// write is held by whoever changes anything; only its holder writes what
	// mu guards, so that it may read it without mu.
	write sync.Mutex
	// mu makes a commit, the memory that follows from it and its publication
	// one step for readers.
	mu    sync.RWMutex
	index *index
	open  map[job.ID]job.Job // the jobs that are not closed
	rev   uint64
	meter meter
	gone  error // why nothing works any more; nil while it does
}

// Open opens the ledger, or creates it. Errors that people can mend are
// *job.Error: state_locked, state_on_remote_fs, state_too_new, state_damaged,
// disk_full. A file that is more than half free is compacted first.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	lock, err := claim(o)
	if err != nil {
		return nil, err
	}
	s, err := openLocked(o, lock)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return s, nil
}

// claim prepares the folder and takes the lock.
func claim(o Options) (*lockFile, error) {
	dir := filepath.Dir(o.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, trouble("make the state folder", err)
	}
	if err := refuseRemote(dir); err != nil {
		return nil, err
	}
	return takeLock(filepath.Join(dir, lockName), o.Timeout, o.Now)
}

func openLocked(o Options, lock *lockFile) (*Store, error) {
	if err := createMissing(o); err != nil {
		return nil, err
	}
	db, err := openDB(o)
	if err != nil {
		return nil, err
	}
	if mostlyFree(db) {
		if db, err = compactOpen(o, db); err != nil {
			return nil, err
		}
	}
	packer, err := newPacker()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{options: o, lock: lock, db: db, packer: packer}
	if err := guarded(s.load); err != nil {
		return nil, errors.Join(unsound(o.Path, err), db.Close())
	}
	return s, nil
}

// openDB opens an existing database and brings it to the present schema.
func openDB(o Options) (*bolt.DB, error) {
	var db *bolt.DB
	err := guarded(func() (err error) {
		if err = refuseShort(o); err == nil {
			db, err = openMapped(o)
		}
		return err
	})
	var broken *errPanic
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &job.Error{Code: "state_locked", Class: job.Conflict,
			Message: o.Path + " is open in a program that is not qmtui", Hint: "close it there"}
	case errors.As(err, &broken), errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, damaged(o.Path, err)
	case err != nil:
		return nil, trouble("open the ledger", err)
	}
	if err := guarded(func() error { return migrate(db, o.Path, steps) }); err != nil {
		return nil, errors.Join(unsound(o.Path, err), db.Close())
	}
	return db, nil
}

// openMapped does with fewer addresses where it may not have as many as it would like.
func openMapped(o Options) (*bolt.DB, error) {
	db, err := bolt.Open(o.Path, 0o600, boltOptions(o))
	if errors.Is(err, unix.ENOMEM) {
		o.InitialMmapSize = 0
		db, err = bolt.Open(o.Path, 0o600, boltOptions(o))
	}
	return db, err
}

func boltOptions(o Options) *bolt.Options {
	return &bolt.Options{Timeout: o.Timeout, InitialMmapSize: o.InitialMmapSize, FreelistType: bolt.FreelistMapType}
}

// load fills the memory from the disk; nobody else has the store yet.
func (s *Store) load() error {
	return s.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		s.rev = number(meta.Get(keyRev))
		if err := s.born.UnmarshalText(meta.Get(keyBorn)); err != nil {
			return fmt.Errorf("read the ledger's birth: %w", err)
		}
		var err error
		if s.index, err = loadIndex(tx); err != nil {
			return err
		}
		s.open = map[job.ID]job.Job{}
		for _, h := range s.index.order {
			if h.Closed {
				continue
			}
			if s.open[h.id], err = readJob(tx, h.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close ends all watches and gives the lock back. It waits for reads under
// way. A second Close does nothing.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	closed := errors.Is(s.gone, errClosed)
	s.gone = errClosed
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.readers.dropAll()
	s.packer.close()
	return errors.Join(s.db.Close(), s.lock.release())
}

// Born is when the ledger was created.
func (s *Store) Born() time.Time { return s.born }

// packer compresses bodies. Its methods may be called from any goroutine.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// maxBlob bounds what a body may unpack to, in bytes.
const maxBlob = 256 << 20

func newPacker() (packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return packer{}, fmt.Errorf("make the compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlob))
	if err != nil {
		return packer{}, fmt.Errorf("make the decompressor: %w", err)
	}
	return packer{enc, dec}, nil
}

func (p packer) close() { p.dec.Close() }

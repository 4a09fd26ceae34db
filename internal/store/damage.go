package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// refuseShort reports a file that ends before its last page, as a copy on a
// full disk does: a read of what is missing is a fault of the process. Opened
// for reading alone, bbolt looks at nothing but the first two pages.
func refuseShort(o Options) error {
	size := fileSize(o.Path)
	db, err := bolt.Open(o.Path, 0o600, &bolt.Options{Timeout: o.Timeout, ReadOnly: true})
	if err != nil {
		return err
	}
	used := usedSize(db)
	if err := db.Close(); err != nil {
		return err
	}
	if size < used {
		return damaged(o.Path, fmt.Errorf("it has %d of %d bytes", size, used))
	}
	return nil
}

func damaged(path string, why error) *job.Error {
	return &job.Error{Code: "state_damaged", Class: job.Internal,
		Message: fmt.Sprintf("%s is not a sound database (%v)", path, why), Hint: "put a backup in its place"}
}

// unsound gives an error while the ledger is read the code of a damaged one,
// unless it has a code.
func unsound(path string, err error) error {
	var e *job.Error
	if errors.As(err, &e) {
		return err
	}
	return damaged(path, err)
}

// errPanic is what a damaged page, or a disk that fails under the map, makes
// of a read: bbolt knows no other way to say so.
type errPanic struct {
	value any
	stack []string
}

func (e *errPanic) Error() string { return fmt.Sprint(e.value) }

// guarded turns a panic of do, or a fault in the mapped file, into an *errPanic.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &errPanic{p, strings.Split(strings.TrimSpace(string(debug.Stack())), "\n")}
		}
	}()
	return do()
}

// explained turns an *errPanic into the trouble of a damaged ledger.
func (s *Store) explained(err error) error {
	var p *errPanic
	if !errors.As(err, &p) {
		return err
	}
	e := damaged(s.options.Path, p)
	e.Class, e.Traceback = job.Unavailable, p.stack
	e.Hint = `stop the manager and run "qmtui db check"; a backup may have to take its place`
	return e
}

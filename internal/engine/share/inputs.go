package share

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	takings   = 16 // callers that may have their inputs looked for at once
	takeTries = 3  // when a file changes under the look
	stagings  = 64 // files that may be on their way at once; more mean that the disk hangs
)

// Carries reports whether inputs are brought to the workers at all.
func (s *Share) Carries() bool { return s.opt.Inputs != "" && s.opt.UserInputs != "" }

// Take finds the files that a prompt of the user loads, says which bytes are
// meant, and stages what it can: what the share does not take now is left for
// Stage. Left out of the answer are files that are the site's own, which stand
// in the workers' input folder already, and missing ones that no server would
// look for. The error is a *job.Error: with node errors, when a file cannot be
// had (input_missing, input_refused, ...), else transient.
func (s *Share) Take(ctx context.Context, user string, files []job.Input) ([]job.Input, error) {
	for range takeTries {
		work := task{name: "take the inputs of " + user, limit: takings, stall: copyStall * s.opt.Stall}
		found, err := errand(ctx, s, work, func(p *pulse) ([]job.Input, error) { return s.find(ctx, p, user, files) }, nil)
		if err != nil {
			return nil, s.classify("read the inputs of "+user+" in", s.opt.UserInputs, err)
		}
		if s.stageNow(ctx, user, found) {
			return found, nil
		}
	}
	return nil, &job.Error{Code: "input_changing", Class: job.Unavailable, Transient: true, RetryAfter: 5,
		Message: "a file that the workflow loads is being written to", Hint: "submit again when the upload has ended"}
}

// stageNow stages what it can; false when a file changed since it was found.
// Nobody is made to wait for a share that is known to be in trouble.
func (s *Share) stageNow(ctx context.Context, user string, found []job.Input) bool {
	if st := s.Status(); st.Error != nil || st.Stalled {
		return true
	}
	for _, in := range found {
		err := s.Stage(ctx, user, in)
		if err != nil && !job.AsError(err).Transient {
			return false
		}
		if err != nil {
			s.log.Info("an input is staged later", "user", user, "name", in.Name, "error", err)
		}
	}
	return true
}

// find looks for all files, and refuses them together.
func (s *Share) find(ctx context.Context, p *pulse, user string, files []job.Input) ([]job.Input, error) {
	var found []job.Input
	var refused []comfy.InputFile
	known := map[string]job.Input{} // a file that several nodes load is read once
	for _, in := range files {
		if err := s.at("find"); err != nil {
			return nil, err
		}
		if same, ok := known[in.Base+"/"+in.Path]; ok {
			in.Sum, in.Size = same.Sum, same.Size
			found = append(found, in)
			continue
		}
		sum, size, err := s.sumOf(ctx, p, user, in)
		fault := inputFault(nil)
		switch {
		case err == nil:
			in.Sum, in.Size = sum, size
			found = append(found, in)
			known[in.Base+"/"+in.Path] = in
		case !errors.As(err, &fault):
			return nil, err
		case fault == faultMissing && (!in.Needed || s.common(in)):
		default:
			refused = append(refused, fileOf(in, fault))
		}
	}
	if len(refused) > 0 {
		return nil, refusedInputs(refused)
	}
	return found, nil
}

// sumOf reads a user's file once.
func (s *Share) sumOf(ctx context.Context, p *pulse, user string, in job.Input) (sum string, size int64, err error) {
	src, err := s.openInput(user, in)
	if err != nil {
		return "", 0, err
	}
	defer src.Close()
	h := sha256.New()
	err = pump(ctx, p, io.MultiWriter(h, (*counter)(&size)), src)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// common reports a file that the site itself has put into the workers' input folder.
func (s *Share) common(in job.Input) bool {
	if in.Base != string(comfy.BaseInput) {
		return false
	}
	root, err := os.OpenRoot(s.opt.Inputs)
	if err != nil {
		return false
	}
	defer root.Close()
	st, err := root.Stat(in.Path)
	return err == nil && st.Mode().IsRegular()
}

// Stage makes the file durable where the workers find it, unless it stands
// there. It may be called again at any time, also after a crash at any point.
// The error is a *job.Error: transient (disk_full, not_writable,
// inputs_not_mounted, share_stalled, ...), or for good, with node errors, when
// it does not stand there and the user's own file is gone (input_missing) or
// is another one by now (input_changed).
func (s *Share) Stage(ctx context.Context, user string, in job.Input) error {
	name := stagedName(user, in)
	_, err, _ := s.staging.Do(name, func() (any, error) {
		work := task{name: "stage an input", limit: stagings, stall: copyStall * s.opt.Stall}
		return errand(ctx, s, work, func(p *pulse) (struct{}, error) {
			g := &stagingFile{s: s, ctx: ctx, pulse: p, user: user, in: in, name: name}
			defer g.close()
			return struct{}{}, g.run()
		}, nil)
	})
	if err == nil {
		return nil
	}
	if fault := inputFault(nil); errors.As(err, &fault) {
		return refusedInputs([]comfy.InputFile{fileOf(in, fault)})
	}
	return s.classify("stage to", filepath.Join(s.opt.Inputs, name), err)
}

func stagedName(user string, in job.Input) string {
	return comfy.StagedName(comfy.InputFile{Base: comfy.Base(in.Base), Path: in.Path, Below: in.Below}, user, in.Sum)
}

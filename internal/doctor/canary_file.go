package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// maxCanary is more than any 8x8 picture has, in bytes.
const maxCanary = 1 << 20

// compare looks for the file on the share and in the user's folder, and holds
// its bytes against those that the manager copied and serves.
func (v Visit) compare(ctx context.Context, o *CanarySeen) {
	out, came := o.file()
	if !came {
		return
	}
	o.Place = CanaryUser + "/" + out.Path
	if !o.Here {
		return
	}
	o.Place = filepath.Join(v.Config.Users.Outputs, CanaryUser, filepath.FromSlash(out.Path))
	before := *o
	seen, ended := within(diskPatience, func() CanarySeen {
		s := before
		s.OnShare = countThere(v.Config.Share.Outputs, []string{string(out.Source)}) == 1
		body, err := readFew(s.Place)
		s.InFolder = err == nil
		s.SameBytes = s.InFolder && (out.Checksum == "" || out.Checksum == checksum(body)) && bytes.Equal(body, v.served(ctx, out.ID))
		return s
	})
	if ended {
		*o = seen
	}
}

func readFew(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxCanary))
}

// served is the file as the manager serves it; nil when it does not.
func (v Visit) served(ctx context.Context, id job.OutputID) []byte {
	d, err := v.Manager.OpenOutput(ctx, id, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	b, err := io.ReadAll(io.LimitReader(d, maxCanary))
	if err != nil {
		return nil
	}
	return b
}

// tidy begins a canary in the users' folder; what it returns ends it: pictures
// of this canary and of those that were over before it are taken away, and the
// canary's folder, when there was none before. What cannot be taken away stays.
// What is on the share is the manager's.
func (v Visit) tidy(ctx context.Context, o *CanarySeen) func() {
	dir := filepath.Join(v.Config.Users.Outputs, CanaryUser)
	had, looked := within(diskPatience, func() bool { _, err := os.Lstat(dir); return err == nil })
	before := v.earlierCanaries(ctx, time.Now())
	return func() {
		own := stored(o.Job)
		removed, inTime := within(diskPatience, func() int {
			defer func() { _ = tidyFolder(dir, before, looked && !had) }()
			return tidyFolder(dir, own, false)
		})
		o.Tidied = inTime && removed > 0 && removed == len(own)
	}
}

// earlierCanaries lists what canaries before have left: files that came after
// doctor was stopped. Those that their own doctor may still look at are left to it.
func (v Visit) earlierCanaries(ctx context.Context, now time.Time) []api.Output {
	page, err := v.Manager.Jobs(ctx, api.Query{Filter: api.Filter{User: CanaryUser}, Limit: recentJobs})
	if err != nil {
		return nil
	}
	var out []api.Output
	for _, j := range page.Items {
		watched := j.State != job.Cancelled && now.Sub(j.Updated.Time) <= managerPatience
		if j.Name == canaryName && j.User == CanaryUser && j.State.Terminal() && !watched {
			out = append(out, stored(j)...)
		}
	}
	return out
}

// stored are the files of a job that stand in the user's folder.
func stored(j api.Job) []api.Output {
	var out []api.Output
	for _, o := range j.Outputs {
		if o.State == job.OutputStored && o.Path != "" {
			out = append(out, o)
		}
	}
	return out
}

// tidyFolder removes files that are still the ones that were delivered, and
// folders that are empty then. It counts the files.
func tidyFolder(dir string, files []api.Output, folderToo bool) int {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0
	}
	defer func() { _ = root.Close() }()
	n := 0
	for _, f := range files {
		if !isDelivered(root, f) || root.Remove(f.Path) != nil {
			continue
		}
		n++
		if parent := path.Dir(f.Path); parent != "." {
			_ = root.Remove(parent) // fails where something else stands in it
		}
	}
	if folderToo {
		_ = os.Remove(dir) // as above
	}
	return n
}

// isDelivered reports that a plain file stands there with the bytes that were delivered.
func isDelivered(root *os.Root, f api.Output) bool {
	info, err := root.Lstat(f.Path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size || f.Size > maxCanary {
		return false
	}
	body, err := root.ReadFile(f.Path)
	return err == nil && f.Checksum == checksum(body)
}

// checksum is in the form that outputs have theirs.
func checksum(body []byte) string { return fmt.Sprintf("xxh64:%016x", xxhash.Sum64(body)) }

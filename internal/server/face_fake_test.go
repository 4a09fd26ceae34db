package server

import (
	"bytes"
	"encoding/json"

	"github.com/comfyume/qmtui/internal/job"
)

func (f *fakeService) ByKey(user, key string) (job.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.keys[user+"\x00"+key]; ok {
		return f.jobs[id], nil
	}
	return job.Job{}, job.ErrNoJob
}

func (f *fakeService) Delivered(user, dest string) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		for _, o := range j.Outputs {
			if j.User == user && o.Dest == dest {
				return fakeFile{bytes.NewReader(f.files[o.ID])}, nil
			}
		}
	}
	return nil, &job.Error{Code: "file_gone", Class: job.NotFound, Message: "the file is not in the user's folder"}
}

func (f *fakeService) Remembered(key string, v any) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.remembered[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

func (f *fakeService) Remember(key string, v any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := json.Marshal(v)
	if f.remembered == nil {
		f.remembered = map[string][]byte{}
	}
	f.remembered[key] = b
	return err
}

func (f *fakeService) Nodes() job.NodeList { return f.nodes }

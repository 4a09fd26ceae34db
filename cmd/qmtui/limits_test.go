package main

import (
	"testing"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/server"
)

// The defaults of the configuration are those of the server, and 0 is no limit.
func TestDefaultLimits(t *testing.T) {
	if got := serverLimits(config.Default().Limits); got != server.DefaultLimits {
		t.Errorf("the configuration has %+v, the server %+v", got, server.DefaultLimits)
	}
	if got, want := serverLimits(config.Limits{}), (server.Limits{Streams: -1, Sockets: -1, Submits: -1, PromptBytes: -1, Uploads: -1, UploadBytes: -1, InputFiles: -1, InputBytes: -1}); got != want {
		t.Errorf("without limits: %+v", got)
	}
}

func TestSameDisk(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	if !sameDisk(a, b) || sameDisk(a, "/proc") || sameDisk(a, b+"/none") {
		t.Error("two folders of one disk, of two, or one that is not there")
	}
}

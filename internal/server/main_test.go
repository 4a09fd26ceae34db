package server

import (
	"fmt"
	"os"
	"testing"

	"github.com/comfyume/qmtui/internal/picture"
)

// TestMain is also the process that decodes pictures.
func TestMain(m *testing.M) {
	if !picture.IsHelper() {
		os.Exit(m.Run())
	}
	if err := picture.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

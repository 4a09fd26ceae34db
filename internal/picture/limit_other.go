//go:build !linux

package picture

import "time"

// limitProcess does nothing where there is no such limit: the runtime keeps to
// its own on memory, and the gate kills a helper that takes too long.
func limitProcess(int64, time.Duration) error { return nil }

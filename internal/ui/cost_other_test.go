//go:build !linux

package ui

import "time"

// cost is the time that do takes.
func cost(do func()) time.Duration {
	from := time.Now()
	do()
	return time.Since(from)
}

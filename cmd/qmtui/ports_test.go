package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// freePorts finds n ports that nobody listens on, for programs that cannot be
// handed a listener. They lie below those that the kernel hands out (Linux:
// from 32768), so that nobody's port 0 takes them before they are used.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close() // all at once at the end, so that no port comes twice
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no port is free")
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
}

// Command qmtui takes ComfyUI jobs of many users through a serverless GPU
// fleet and puts every output into the right user's folder.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(mainCode()) }

// mainCode runs the command line of this process and returns its exit code.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends us at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

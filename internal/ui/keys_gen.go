//go:build ignore

// This program writes docs/keys.md from the table of bindings.
package main

import (
	"log"
	"os"

	"github.com/comfyume/qmtui/internal/ui"
)

func main() {
	if err := os.WriteFile(os.Args[1], []byte(ui.KeysMarkdown()), 0o644); err != nil {
		log.Fatal(err)
	}
}

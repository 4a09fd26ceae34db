//go:build ignore

// Generate writes docs/limits.md; "go generate ./internal/bounds" runs it.
package main

import (
	"log"
	"os"

	"github.com/comfyume/qmtui/internal/bounds"
)

func main() {
	text, err := bounds.Reference("../..")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("../../docs/limits.md", []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}

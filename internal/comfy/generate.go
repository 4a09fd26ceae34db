//go:build ignore

// Generate writes docs/save-nodes.md; "go generate ./internal/comfy" runs it.
package main

import (
	"log"
	"os"

	"github.com/comfyume/qmtui/internal/comfy"
)

func main() {
	if err := os.WriteFile("../../docs/save-nodes.md", []byte(comfy.SaveNodesReference()), 0o644); err != nil {
		log.Fatal(err)
	}
}

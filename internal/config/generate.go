//go:build ignore

// Generate writes docs/configuration.md; "go generate ./internal/config" runs it.
package main

import (
	"log"
	"os"

	"github.com/comfyume/qmtui/internal/config"
)

func main() {
	if err := os.WriteFile("../../docs/configuration.md", []byte(config.Reference()), 0o644); err != nil {
		log.Fatal(err)
	}
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/picture"
)

// previewHelperCommand is the process that decodes one picture, see [picture.Gate].
func previewHelperCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: picture.HelperCommand, Short: "Decode one picture for the manager", Args: takes(0, 0, ""), Hidden: true,
		Long: `The manager starts this for each preview and each mask. It reads the picture from
standard input, with limits of the kernel on its memory and processor time.`,
		Example: "  qmtui preview-helper",
		RunE: func(c *cobra.Command, _ []string) error {
			if !picture.IsHelper() {
				return usage(c.CommandPath(), "%q is started by the manager", c.CommandPath())
			}
			return picture.Serve(a.stdin, a.stdout)
		}}
}

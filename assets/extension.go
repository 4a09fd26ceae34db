package assets

import "embed"

// QueueRedirect is the extension for participants' ComfyUI pages, below
// "queue_redirect/": a folder for custom_nodes.
//
//go:embed queue_redirect/__init__.py queue_redirect/web/*.js
var QueueRedirect embed.FS

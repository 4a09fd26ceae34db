package assets

import "embed"

// Nginx is a site's configuration for nginx, below "nginx/".
//
//go:embed nginx
var Nginx embed.FS

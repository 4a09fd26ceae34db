package comfy

import "errors"

// errNotJSON is what the readers of foreign JSON return when its shape is wrong.
var errNotJSON = errors.New("not the JSON that was expected")

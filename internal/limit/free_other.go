//go:build !linux && !darwin

package limit

import "errors"

func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }

//go:build !unix

package simulator

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }

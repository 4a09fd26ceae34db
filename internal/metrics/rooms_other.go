//go:build !linux && !darwin

package metrics

import "errors"

func lookRoom(string) (room, error) { return room{}, errors.ErrUnsupported }

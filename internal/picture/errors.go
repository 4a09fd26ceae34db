package picture

import "github.com/comfyume/qmtui/internal/job"

// What is refused, by code. The caller adds the next step, which depends on
// what the picture was wanted for.
func tooLarge(why string) error {
	return &job.Error{Code: "picture_too_large", Class: job.TooLarge, Message: why}
}

func tooCostly(why string) error {
	return &job.Error{Code: "picture_too_costly", Class: job.TooLarge, Message: why}
}

// Package picture is the one gate for pictures whose bytes come from users or
// from the share: it reads their headers, refuses what would cost too much, and
// decodes the rest in a child process that has limits of the kernel on memory
// and processor time and is killed when the request ends.
//
// The standard decoders cannot be cancelled, and a header does not say what a
// picture costs: docs/decisions/picture-helper.md has the measurements.
package picture

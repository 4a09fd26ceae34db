// Package share is the disks: what stands in the shared folder, when a file is
// whole, and the durable copy into a user's folder.
//
// Looking is the truth; events of the file system only bring the next look
// forward, because a write by another machine raises none. A look opens every
// folder anew (an old handle, and stat, may show what a network share cached),
// reads names only, and opens a file only while it is new or unsettled. A file
// is judged by the bytes that can be read, never by its size alone.
//
// The share is hostile ground: every component below it is opened by handle
// with O_NOFOLLOW, and only regular files with one link are read. A mount may
// also hang for ever, so every call that touches a disk runs on a goroutine
// that nobody waits for without a limit.
package share

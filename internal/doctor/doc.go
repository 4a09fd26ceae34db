// Package doctor looks whether everything stands as it must before twenty
// people wait: disks, users' folders, the manager, its database, deployments,
// the infrastructure code. Gathering and judging are apart: a gatherer asks a
// disk, a process or a server and fills an observation; a judge is a pure
// function from that observation to a [Result]. Every gatherer has a deadline
// of its own and is left behind when it passes, so that a mount that hangs
// never hangs the doctor.
//
// Each [Check] lists what it can say. docs/doctor.md is made from that list.
package doctor

//go:generate go test -run ^TestReference$ . -update

// Package job is the vocabulary of qmtui: what a job, an attempt, an output
// and a fact are, and which fact leads where. It does no I/O, holds no clock
// and imports nothing of ours, so every other package may speak it.
//
// A job is asked for once and may be tried several times; each try is an
// [Attempt] with a prompt id and a folder of its own. What happens is told by
// facts ([Fact]), each with the evidence it rests on. [Job.Apply] folds a fact
// into a job; [Edges] is the whole machine.
package job

//go:generate go test -run ^TestMachineDoc$ . -update

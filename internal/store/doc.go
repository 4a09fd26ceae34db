// Package store is the ledger on disk: one bbolt file that one process owns.
//
// Facts are the truth and are only ever appended; jobs are the facts folded
// ([job.Job.Apply]); heads and the other indexes follow from the jobs. All of
// it changes in one transaction, and what changed is published under the lock
// that the commit ran under ([Store.Record]).
//
// Rules for whoever adds to it: reads are short (a read held open makes the
// file grow), nothing reads inside a write, and every write goes through
// Store.update.
package store

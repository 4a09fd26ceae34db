// Package ledgertest says what the engine asks of its memory: [Run] is the
// conformance suite of [engine.Ledger], and [Memory] is a ledger without a
// disk that passes it, for tests of the engine.
//
// Beside what the port's comments say, a ledger keeps these rules:
//   - a job's revision is set once for each Record that changes it, and
//     revisions have no gaps;
//   - Created with an idempotency key that the user has used before is stale,
//     and its verdict carries the job that holds the key;
//   - a fact of an unknown job, and a prompt id that another job has, are impossible;
//   - times come back as they were given to the nanosecond, in UTC.
package ledgertest

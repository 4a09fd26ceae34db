package job

// Edges is the whole machine of an attempt: from a state, which fact leads
// where. An edge to the same state means "take the details and stay": it is
// what lets witnesses arrive in any order. What is not here is impossible;
// see [Job.Apply]. No edge points down.
//
// Facts about outputs are not letters of their own: any of them lifts an
// attempt that has not begun to Running (see [lift]).
var Edges = map[State]map[Kind]State{
	Queued: {
		Assigned: Submitting, Withdrawn: Cancelled,
		Completed: Done, // late files of an earlier attempt were all that was missing
	},
	Submitting: {
		Acknowledged: Accepted, Unanswered: Submitting, Refused: Failed,
		Started: Running, Finished: Rendered, Broke: Failed,
		Expired: Lost, Withdrawn: Cancelled,
	},
	Accepted: {
		Acknowledged: Accepted, Unanswered: Accepted, Refused: Failed,
		Started: Running, Finished: Rendered, Broke: Failed,
		Expired: Lost, Withdrawn: Cancelled,
	},
	Running: {
		Acknowledged: Running, Unanswered: Running, Refused: Failed,
		Started: Running, Finished: Rendered, Broke: Failed,
		Expired: Lost, Withdrawn: Cancelled,
	},
	Rendered: {
		Acknowledged: Rendered, Unanswered: Rendered, Refused: Failed,
		Started: Rendered, Finished: Rendered, Broke: Failed,
		Completed: Done, Expired: Lost, Withdrawn: Cancelled,
	},
	Done:      stay(Done),
	Failed:    stay(Failed),
	Cancelled: stay(Cancelled),
	Lost: {
		Acknowledged: Lost, Unanswered: Lost, Refused: Lost, Started: Lost, Finished: Lost, Broke: Lost,
		Completed: Done, // its files came after all
	},
}

// stay is the row of a terminal state: late testimony is kept, nothing moves.
func stay(s State) map[Kind]State {
	return map[Kind]State{Acknowledged: s, Unanswered: s, Refused: s, Started: s, Finished: s, Broke: s}
}

// lift is where a file on the share takes an attempt: a worker has begun.
func lift(s State) State { return max(s, Running) }

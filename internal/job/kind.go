package job

// Kind is what sort of fact a [Fact] is.
type Kind string

// Facts about the whole job.
const (
	Created     Kind = "created"     // somebody asked for it; carries Spec
	Wanted      Kind = "wanted"      // a person wants it run or cancelled; carries Want
	Prioritised Kind = "prioritised" // carries Priority
	Renewed     Kind = "renewed"     // a further attempt begins; carries Attempt and NotBefore
	Noted       Kind = "noted"       // a warning people should see; carries Warning
	Closed      Kind = "closed"      // the late window is over, nobody looks for its files any more
)

// Observations and decisions about one attempt: the letters of the machine.
const (
	Assigned     Kind = "assigned"     // the intent to submit; carries PromptID and Deployment
	Acknowledged Kind = "acknowledged" // a server accepted the prompt; may carry Dropped
	Unanswered   Kind = "unanswered"   // sent, and nobody knows whether it arrived
	Refused      Kind = "refused"      // a server said no; carries Error
	Started      Kind = "started"      // a worker has begun
	Finished     Kind = "finished"     // a worker has ended well
	Broke        Kind = "broke"        // a worker reported an error; carries Error
	Completed    Kind = "completed"    // decided: every file that will come is stored
	Expired      Kind = "expired"      // decided: the deadline passed without evidence; carries Error
	Withdrawn    Kind = "withdrawn"    // decided: a wanted cancel took effect
)

// Observations and decisions about one output of an attempt.
const (
	Seen      Kind = "seen"      // the file stands on the share
	Whole     Kind = "whole"     // its last byte is there
	Named     Kind = "named"     // decided: its place in the user's folder; recorded before the copy
	Stored    Kind = "stored"    // the copy is durable
	Rewritten Kind = "rewritten" // the source was written again, and the new version is durable
	Abandoned Kind = "abandoned" // decided: it never became whole, or vanished before it could be copied
)

// AttemptKinds lists the letters of the machine.
func AttemptKinds() []Kind {
	return []Kind{Assigned, Acknowledged, Unanswered, Refused, Started, Finished, Broke, Completed, Expired, Withdrawn}
}

// OutputKinds lists the facts about outputs.
func OutputKinds() []Kind { return []Kind{Seen, Whole, Named, Stored, Rewritten, Abandoned} }

// Observation reports whether the fact is something a witness saw, rather
// than something people or the loop decided. Observations commute.
func (k Kind) Observation() bool {
	switch k {
	case Acknowledged, Unanswered, Refused, Started, Finished, Broke, Seen, Whole, Stored, Rewritten:
		return true
	}
	return false
}

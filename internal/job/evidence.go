package job

// Evidence names what a fact rests on, so that a person can judge it.
type Evidence string

// The kinds of evidence. For attribution they are ordered by strength: see
// [Evidence.Strength].
const (
	ByPrefix    Evidence = "prefix"     // the file stands in the attempt's own folder
	ByMetadata  Evidence = "metadata"   // the qm key inside the file names the attempt
	ByHistory   Evidence = "history"    // GET /history of some replica knew it
	ByPlatform  Evidence = "platform"   // the answer to POST /prompt, or the platform's own API
	BySingleJob Evidence = "single-job" // the only attempt in flight on that deployment
	ByTime      Evidence = "time"       // a deadline or a quiet window
	ByAdmin     Evidence = "admin"      // a person said so
	ByManager   Evidence = "manager"    // our own doing: recorded by the loop
)

var strength = map[Evidence]int{
	ByAdmin: 7, ByPrefix: 6, ByMetadata: 5, ByHistory: 4, ByPlatform: 3, BySingleJob: 2, ByTime: 1,
}

// Strength orders evidence; more is stronger, zero is none.
func (e Evidence) Strength() int { return strength[e] }

package job

// Spent is what a deployment cost on one day, as an estimate.
type Spent struct {
	Day    string  `json:"day"`            // 2006-01-02 in the calendar's zone
	Billed float64 `json:"billed_seconds"` // GPU time in whole billing steps
	Lived  float64 `json:"lived_seconds"`  // GPU time in truth
	Amount float64 `json:"amount"`         // in the currency of the price
	// Evidence is platform when the replicas were listed, time when their lives
	// were guessed from answers: then it is the least that it can have been.
	Evidence Evidence `json:"evidence,omitempty"`
}

// SpendDay is what one day cost.
type SpendDay struct {
	Day         string            `json:"day"`
	Amount      float64           `json:"amount"`
	Cap         float64           `json:"cap,omitempty"` // over all deployments; zero for none
	Deployments []DeploymentSpend `json:"deployments"`   // in configured order, those that cost anything
	Users       []UserSpend       `json:"users"`         // over all deployments, the dearest first
}

// DeploymentSpend is what one deployment cost on one day.
type DeploymentSpend struct {
	Name string `json:"name"`
	Spent
	Cap   float64     `json:"cap,omitempty"` // zero for none
	Users []UserSpend `json:"users"`         // the dearest first
}

// UserSpend is one user's share: the bill is divided by the GPU time measured,
// so that idle time is shared as the work is. A day on which nobody rendered
// belongs to nobody.
type UserSpend struct {
	User       string  `json:"user"`
	GPUSeconds float64 `json:"gpu_seconds"`
	Amount     float64 `json:"amount"`
}

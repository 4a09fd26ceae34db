package metrics

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

var (
	descDeploymentState    = desc("qmtui_deployment_state", "1 for the state that a deployment is in, as far as known.", "deployment", "state")
	descDeploymentSince    = desc("qmtui_deployment_state_since_timestamp_seconds", "Since when it has been in that state.", "deployment")
	descDeploymentEvidence = desc("qmtui_deployment_evidence_timestamp_seconds", "When the evidence for that came.", "deployment")
	descDeploymentActive   = desc("qmtui_deployment_active", "1 for the deployment that takes work.", "deployment")
	descDeploymentFlight   = desc("qmtui_deployment_in_flight", "Attempts that may occupy a GPU of a deployment.", "deployment")
	descDeploymentCapacity = desc("qmtui_deployment_capacity", "Attempts that a deployment takes at once.", "deployment")
	descDeploymentPrice    = desc("qmtui_deployment_price_per_hour", "Price of a GPU for an hour, in the currency of the bill.", "deployment")
	descColdSamples        = desc("qmtui_deployment_cold_start_samples", "Measured cold starts that the next figures rest on.", "deployment")
	descColdMedian         = desc("qmtui_deployment_cold_start_median_seconds", "Median of the last measured cold starts, kept over restarts.", "deployment")
	descColdP90            = desc("qmtui_deployment_cold_start_p90_seconds", "Nine of ten of the last measured cold starts were shorter.", "deployment")
	descWarmMedian         = desc("qmtui_deployment_run_median_seconds", "Median of the last measured runs, kept over restarts.", "deployment")

	descSpend     = desc("qmtui_deployment_spend_today", "What a deployment cost so far today, estimated in billing steps, in the currency of the bill.", "deployment")
	descBudget    = desc("qmtui_deployment_budget_per_day", "What a day may cost on a deployment, where there is a cap, in the currency of the bill.", "deployment")
	descBilled    = desc("qmtui_deployment_billed_today_seconds", "GPU time of a deployment that is billed for today so far, estimated in billing steps.", "deployment")
	descHeld      = desc("qmtui_deployment_held", "1 while one replica of a deployment is held by min_replica_count.", "deployment")
	descStopped   = desc("qmtui_deployment_stopped", "1 while nothing is sent to a deployment, because nothing can be rendered there.", "deployment")
	descLost      = desc("qmtui_deployment_lost_replicas", "Replicas that the platform took away under their jobs in the last ten minutes.", "deployment")
	descSilent    = desc("qmtui_silent_attempts", "Attempts in flight on a deployment that give no sign for clearly longer than usual.", "deployment")
	descLearned   = desc("qmtui_learned_classes", "Node classes of which runs on a deployment showed that they save nothing in the folder that they are given.", "deployment")
	descUsualLow  = desc("qmtui_deployment_cold_start_usual_low_seconds", "Of ten cold starts at this time of day, one is shorter.", "deployment")
	descUsualHigh = desc("qmtui_deployment_cold_start_usual_high_seconds", "Of ten cold starts at this time of day, one is longer.", "deployment")

	deploymentDescs = []*prometheus.Desc{descDeploymentState, descDeploymentSince, descDeploymentEvidence, descDeploymentActive, descDeploymentFlight,
		descDeploymentCapacity, descDeploymentPrice, descColdSamples, descColdMedian, descColdP90, descWarmMedian,
		descSpend, descBudget, descBilled, descHeld, descStopped, descLost, descSilent, descLearned, descUsualLow, descUsualHigh}
)

// warmths are all states of a deployment.
var warmths = []job.Warmth{job.WarmthUnknown, job.WarmthCold, job.Warming, job.WarmthWarm, job.WarmthFailing}

func (c *moment) deployment(ch chan<- prometheus.Metric, d job.Deployment) {
	name := d.Name
	if c.deployments.label(name) != name {
		return // not configured: cannot be
	}
	state := cmp.Or(d.State, job.WarmthUnknown)
	for _, w := range warmths {
		gauge(ch, descDeploymentState, truth(w == state), name, string(w))
	}
	if !d.Since.IsZero() {
		gauge(ch, descDeploymentSince, stamp(d.Since), name)
	}
	if !d.At.IsZero() {
		gauge(ch, descDeploymentEvidence, stamp(d.At), name)
	}
	gauge(ch, descDeploymentActive, truth(d.Active), name)
	gauge(ch, descDeploymentFlight, float64(d.InFlight), name)
	gauge(ch, descDeploymentCapacity, float64(d.Capacity), name)
	gauge(ch, descDeploymentPrice, d.PricePerHour, name)
	gauge(ch, descSpend, d.Today.Amount, name)
	if limit := c.m.opts.Budgets[name]; limit > 0 {
		gauge(ch, descBudget, limit, name)
	}
	gauge(ch, descBilled, d.Today.Billed, name)
	gauge(ch, descHeld, truth(d.Held != nil), name)
	gauge(ch, descStopped, truth(d.Stopped != nil), name)
	gauge(ch, descLost, float64(d.Lost), name)
	gauge(ch, descSilent, float64(d.Silent), name)
	gauge(ch, descLearned, float64(len(d.Learned)), name)
	if d.Usual.Count > 0 {
		gauge(ch, descUsualLow, d.Usual.Low, name)
		gauge(ch, descUsualHigh, d.Usual.High, name)
	}
	gauge(ch, descColdSamples, float64(d.Cold.Count), name)
	if d.Cold.Count > 0 {
		gauge(ch, descColdMedian, d.Cold.P50, name)
		gauge(ch, descColdP90, d.Cold.P90, name)
	}
	if d.Warm.Count > 0 {
		gauge(ch, descWarmMedian, d.Warm.P50, name)
	}
}

package fleet

import (
	"context"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// A Fleet must have what the loop asks of one. The loop's own port cannot be
// named here: this package does not know the loop.
var _ interface {
	Check(deployment string, workflow, extra []byte) (job.Checked, error)
	Submit(ctx context.Context, s job.Submission) job.Fact
	Follow(flights []job.Flight)
	Run(ctx context.Context, report func(job.Fact)) error
	Interrupt(ctx context.Context, f job.Flight) error
	Ran(deployment string, d time.Duration)
	Deployments() []job.Deployment
	Nodes(deployment string) job.NodeList
	Warm(ctx context.Context, name string) (job.Deployment, error)
	Refresh(ctx context.Context, name string) (job.Deployment, error)
} = (*Fleet)(nil)

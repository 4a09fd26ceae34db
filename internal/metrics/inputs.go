package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

// inputMeters measure how files that prompts load are brought to the workers.
type inputMeters struct {
	codes    *bounded
	duration prometheus.Histogram
	errors   *prometheus.CounterVec
}

func newInputMeters(r prometheus.Registerer) *inputMeters {
	i := &inputMeters{codes: newBounded(ownCodes(), 0),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "qmtui_input_stage_duration_seconds", Buckets: copyBuckets,
			Help: "How long it took until a file that a prompt loads stood where the workers find it, also when it stood there already."}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "qmtui_input_stage_errors_total",
			Help: "Files that prompts load which could not be brought to the workers now, by code."}, []string{"code"}),
	}
	r.MustRegister(i.duration, i.errors)
	for _, code := range inputCodes {
		i.errors.WithLabelValues(code)
	}
	return i
}

// Staged hears how one try to bring a file to the workers ended.
func (m *Metrics) Staged(err error, took time.Duration) {
	switch i := m.inputs; {
	case errors.Is(err, context.Canceled):
	case err != nil:
		i.errors.WithLabelValues(i.codes.label(job.AsError(err).Code)).Inc()
	default:
		i.duration.Observe(seconds(took))
	}
}

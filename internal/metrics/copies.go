package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

// copyMeters measure single copies from the share to users' folders.
type copyMeters struct {
	codes    *bounded
	bytes    prometheus.Counter
	duration prometheus.Histogram
	errors   *prometheus.CounterVec
}

func newCopyMeters(r prometheus.Registerer) *copyMeters {
	c := &copyMeters{codes: newBounded(ownCodes(), 0),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "qmtui_copied_bytes_total", Help: "Bytes copied from the share to users' folders."}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "qmtui_copy_duration_seconds", Help: "How long a copy took that succeeded.", Buckets: copyBuckets}),
		errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "qmtui_copy_errors_total", Help: "Copies that did not succeed and are tried again or given up, by code."}, []string{"code"}),
	}
	r.MustRegister(c.bytes, c.duration, c.errors)
	for _, code := range copyCodes {
		c.errors.WithLabelValues(code)
	}
	return c
}

// Copied hears how one try to copy a file ended.
func (m *Metrics) Copied(r job.Receipt, err error, took time.Duration) {
	switch c := m.copies; {
	case errors.Is(err, context.Canceled):
	case err != nil:
		c.errors.WithLabelValues(c.codes.label(job.AsError(err).Code)).Inc()
	default:
		c.duration.Observe(seconds(took))
		if !r.Repeated {
			c.bytes.Add(float64(max(0, r.Size)))
		}
	}
}

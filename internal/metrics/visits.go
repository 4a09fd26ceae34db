package metrics

import "github.com/prometheus/client_golang/prometheus"

// visitMeters count people who look at the panel by SSH.
type visitMeters struct {
	open  *prometheus.GaugeVec
	total *prometheus.CounterVec
}

func newVisitMeters(r prometheus.Registerer) *visitMeters {
	v := &visitMeters{
		open:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "qmtui_ssh_visits", Help: "Panels that are open by SSH, by what their keys may do."}, []string{"access"}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "qmtui_ssh_visits_total", Help: "Panels that were opened by SSH, by what their keys may do."}, []string{"access"}),
	}
	r.MustRegister(v.open, v.total)
	for _, access := range []string{"act", "look"} {
		v.open.WithLabelValues(access)
		v.total.WithLabelValues(access)
	}
	return v
}

// Visited hears that a panel was opened by SSH, with a key that may act or
// only look. The returned function is to be called once, at the end.
func (m *Metrics) Visited(readOnly bool) func() {
	access := "act"
	if readOnly {
		access = "look"
	}
	m.visits.total.WithLabelValues(access).Inc()
	m.visits.open.WithLabelValues(access).Inc()
	return m.visits.open.WithLabelValues(access).Dec
}

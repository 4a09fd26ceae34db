package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// httpMeters measure the calls to the manager, by route and never by path.
type httpMeters struct {
	now      func() time.Time
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

func newHTTPMeters(r prometheus.Registerer, now func() time.Time) *httpMeters {
	h := &httpMeters{now: now,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "qmtui_http_requests_total", Help: "Calls that were answered, by route and status."},
			[]string{"method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "qmtui_http_request_duration_seconds", Buckets: httpBuckets,
			Help: "How long calls took, without event streams and WebSockets."}, []string{"method", "route"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "qmtui_http_requests_in_flight",
			Help: "Calls under way; for the routes of event streams and WebSockets, the open ones."}, []string{"route"}),
	}
	r.MustRegister(h.requests, h.duration, h.inFlight)
	return h
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// Called hears that a call began; route is a pattern of the server's, empty
// for none. The returned function is to be called once, at the end: status is
// the HTTP status, and stream says that the call stayed open on purpose.
func (m *Metrics) Called(method, route string) func(status int, stream bool) {
	h, began := m.http, m.http.now()
	if !slices.Contains(methods, method) {
		method = other
	}
	if route == "" {
		route = none
	}
	h.inFlight.WithLabelValues(route).Inc()
	return func(status int, stream bool) {
		h.inFlight.WithLabelValues(route).Dec()
		h.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
		if !stream {
			h.duration.WithLabelValues(method, route).Observe(seconds(h.now().Sub(began)))
		}
	}
}

package metrics

import "github.com/prometheus/client_golang/prometheus"

// pictureReasons are why pictures are refused, see package picture.
var pictureReasons = []string{"picture_too_large", "picture_too_costly", "unreadable", "preview_helper_failed"}

func newPictureMeters(r prometheus.Registerer) *prometheus.CounterVec {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "qmtui_pictures_refused_total",
		Help: "Previews and masks that were refused because of the picture, by reason."}, []string{"reason"})
	r.MustRegister(refused)
	for _, reason := range pictureReasons {
		refused.WithLabelValues(reason)
	}
	return refused
}

// PictureRefused hears that a picture was not decoded.
func (m *Metrics) PictureRefused(reason string) { m.pictures.WithLabelValues(reason).Inc() }

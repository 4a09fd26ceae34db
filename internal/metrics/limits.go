package metrics

import "github.com/prometheus/client_golang/prometheus"

// LimitUse is how far a limit of users is used.
type LimitUse struct {
	Limit string
	// Places are those of all users, and Taken how many of them are held; zero
	// for a limit that has no places.
	Places, Taken int
	// Highest is the largest part of the limit for one user that any user has
	// used, from 0 to 1.
	Highest float64
	Refused uint64 // since the start
}

// limits tells the use of limits when somebody scrapes.
type limits struct{ uses func() []LimitUse }

var (
	descLimitPlaces  = desc("qmtui_limit_places", "Places of a limit, of all users, those kept for operators included.", "limit")
	descLimitTaken   = desc("qmtui_limit_places_taken", "Places of a limit that are held.", "limit")
	descLimitHighest = desc("qmtui_limit_user_ratio", "Largest part of the limit for one user that any user has used, from 0 to 1.", "limit")
	descLimitRefused = desc("qmtui_limit_refusals_total", "Calls that were refused because a limit was reached.", "limit")
)

// Describe is of prometheus.Collector.
func (l limits) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descLimitPlaces, descLimitTaken, descLimitHighest, descLimitRefused} {
		ch <- d
	}
}

// Collect is of prometheus.Collector.
func (l limits) Collect(ch chan<- prometheus.Metric) {
	for _, u := range l.uses() {
		if u.Places > 0 {
			gauge(ch, descLimitPlaces, float64(u.Places), u.Limit)
			gauge(ch, descLimitTaken, float64(u.Taken), u.Limit)
		}
		gauge(ch, descLimitHighest, u.Highest, u.Limit)
		ch <- prometheus.MustNewConstMetric(descLimitRefused, prometheus.CounterValue, float64(u.Refused), u.Limit)
	}
}

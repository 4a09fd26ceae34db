package metrics

import "testing"

func TestLimits(t *testing.T) {
	o := h200
	o.Limits = func() []LimitUse {
		return []LimitUse{{Limit: "streams", Places: 512, Taken: 128, Highest: 0.5, Refused: 7}, {Limit: "submits", Highest: 1}}
	}
	want(t, scrape(t, start(t, o, newFakeSource())), map[string]float64{
		`qmtui_limit_places{limit="streams"}`: 512, `qmtui_limit_places_taken{limit="streams"}`: 128, `qmtui_limit_places{limit="submits"}`: -1,
		`qmtui_limit_user_ratio{limit="streams"}`: 0.5, `qmtui_limit_user_ratio{limit="submits"}`: 1,
		`qmtui_limit_refusals_total{limit="streams"}`: 7, `qmtui_limit_refusals_total{limit="submits"}`: 0,
	})
}

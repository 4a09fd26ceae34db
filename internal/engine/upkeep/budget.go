package upkeep

import "fmt"

// nearly is the share of a cap from which it warns.
const nearly = 0.8

// Verdict is what the budgets say of a deployment today. The zero value: all
// is well.
type Verdict struct {
	Pause  bool // nothing more may be sent there today
	Warn   bool
	Lifted bool // it would pause, but a person has lifted the budgets for today
	Spent  float64
	Cap    float64
	Whole  bool // the cap is the one over all deployments
}

// Judge compares today's spending with the caps of a deployment and of all. A
// cap that one more billing step of a replica would break pauses before, not
// after. What is in flight goes on.
func (r Rules) Judge(s Situation, name string) Verdict {
	d, ok := s.deployment(name)
	if !ok {
		return Verdict{}
	}
	total := 0.0
	for _, x := range s.Deployments {
		total += x.Today.Amount
	}
	step, lifted := stepPrice(d.PricePerHour), s.Lifted != "" && s.Lifted == r.Calendar.Day(s.Now)
	own := judge(d.Today.Amount, step, r.Deployments[name].PerDay, lifted)
	all := judge(total, step, r.PerDay, lifted)
	all.Whole = true
	if own.graver(all) {
		return own
	}
	return all
}

func judge(spent, next, limit float64, lifted bool) Verdict {
	v := Verdict{Spent: spent, Cap: limit}
	if limit <= 0 {
		return v
	}
	over := spent+next > limit+1e-9
	v.Warn = over || spent >= nearly*limit
	v.Pause, v.Lifted = over && !lifted, over && lifted
	return v
}

// graver says that v is the one to tell of.
func (v Verdict) graver(o Verdict) bool {
	rank := func(x Verdict) int {
		switch {
		case x.Pause:
			return 3
		case x.Lifted:
			return 2
		case x.Warn:
			return 1
		}
		return 0
	}
	return rank(v) >= rank(o)
}

// Sentence is the verdict for people, about a deployment of that name.
func (v Verdict) Sentence(name string) string {
	of := "of " + name
	if v.Whole {
		of = "of all deployments together"
	}
	switch {
	case v.Pause:
		return fmt.Sprintf("today cost about %.2f, and one more step would break the cap of %.2f %s: no job is sent to %s", v.Spent, v.Cap, of, name)
	case v.Lifted:
		return fmt.Sprintf("today cost about %.2f, beyond the cap of %.2f %s", v.Spent, v.Cap, of)
	}
	return fmt.Sprintf("today cost about %.2f of the cap of %.2f %s", v.Spent, v.Cap, of)
}

package limit

import "time"

// Pace is how fast a body must arrive that somebody sends.
type Pace struct {
	Least  int64         // bytes in a second, on average over Window
	Window time.Duration // of whole seconds
	// Grace is how long a slow body may take while nobody waits for its place.
	Grace time.Duration
}

// TooSlow judges a body that has been arriving for age, of which recent bytes
// came within the last window: it should leave when somebody waits for its
// place, or it must at once.
func (p Pace) TooSlow(age time.Duration, recent int64) (should, must bool) {
	should = age >= p.Window && recent < p.Least*int64(p.Window/time.Second)
	return should, should && age >= p.Grace
}

// Meter counts what arrives, second by second. The zero value has seen nothing.
type Meter struct {
	totals []int64 // at the end of each of the last seconds, oldest first
}

// Tick notes the total at the end of a second, and returns what came within the window.
func (m *Meter) Tick(total int64, window time.Duration) (recent int64) {
	m.totals = append(m.totals, total)
	if n := int(window / time.Second); len(m.totals) > n {
		recent = total - m.totals[len(m.totals)-1-n]
		m.totals = append(m.totals[:0], m.totals[len(m.totals)-n:]...)
		return recent
	}
	return total
}

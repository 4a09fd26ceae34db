package simulator

import (
	"strconv"
	"strings"
	"time"
)

// costs spreads the prompt's render time over the nodes that will run.
func (x *execution) costs() map[string]time.Duration {
	f := x.replica.dep.fleet
	span := f.cfg.Render
	dice := roll(f.cfg.Seed, "render", x.task.content, x.task.turn)
	total := span.Min + time.Duration(dice*float64(span.Max-span.Min))
	weights, sum := map[string]float64{}, 0.0
	for _, id := range x.needed {
		if !x.cached(id) {
			weights[id] = x.weight(id)
			sum += weights[id]
		}
	}
	costs := map[string]time.Duration{}
	for id, w := range weights {
		costs[id] = time.Duration(w / max(sum, 1) * float64(total))
	}
	return costs
}

// weight is how heavy a node is; the 1x1 image of a start marker weighs
// nothing.
func (x *execution) weight(id string) float64 {
	name := x.class(id).name
	switch {
	case strings.Contains(name, "Sampler") && name != "KSamplerSelect":
		return 10
	case strings.Contains(name, "Decode"), strings.Contains(name, "Loader"), strings.HasPrefix(name, "Image"):
		return 2
	case name == "EmptyImage" && x.pixels(id) <= 1:
		return 0
	case strings.HasPrefix(name, "Save"), strings.HasPrefix(name, "Preview"):
		return 0.05
	}
	return 1
}

func (x *execution) pixels(id string) int {
	return intOf(x.inputs(id).values["width"]) * intOf(x.inputs(id).values["height"])
}

func intOf(v any) int {
	switch v := v.(type) {
	case integer:
		n, _ := strconv.Atoi(string(v))
		return n
	case float64:
		return int(v)
	}
	return 0
}

// deathNode is where a killed replica dies: the heaviest node.
func (x *execution) deathNode() string {
	if !x.task.plan.has(killedReplica) {
		return ""
	}
	return x.heaviest()
}

func (x *execution) heaviest() string {
	heaviest := ""
	for _, id := range x.needed {
		if heaviest == "" || x.cost[id] > x.cost[heaviest] {
			heaviest = id
		}
	}
	return heaviest
}

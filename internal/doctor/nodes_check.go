package doctor

import "time"

// workerNodes tells why pages offer only what their own ComfyUI has.
var workerNodes = &Check{Name: "node-list", Looks: "when the manager last read which nodes and models the workers have: pages offer these",
	Rulings: []Ruling{
		{"read", OK, "the manager has the list", ""},
		{"unread", Skip, "it has read none yet: pages offer only the nodes and models of their own ComfyUI", "submit a job: the list is read while a worker renders; or run qmtui workers check NAME, which wakes a machine that sleeps"},
		{"not_known", Skip, "no manager knows the deployment", ""},
	}}

func judgeNodes(o WorkerSeen) Result {
	c := workerNodes
	switch r := o.Report; {
	case !o.Known:
		return c.say("not_known", "no manager knows %s", o.Name)
	case r.NodesAt.IsZero():
		return c.say("unread", "the manager has not read yet which nodes and models %s has", o.Name)
	default:
		return c.say("read", "the manager knows %d node classes of %s, read %s ago", r.Nodes, o.Name, o.Now.Sub(r.NodesAt).Round(time.Second))
	}
}

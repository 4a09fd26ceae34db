package metrics

import (
	"iter"
	"maps"
	"regexp"
	"slices"
	"sync"
)

// other is the label of everything beyond a bound.
const other = "other"

// bounded lets a limited number of values become labels: the known ones, and
// as many others as there is room for, in the order they come.
type bounded struct {
	mu    sync.Mutex
	names map[string]bool
	room  int
}

func newBounded(known []string, room int) *bounded {
	b := &bounded{names: map[string]bool{}, room: room}
	for _, n := range known {
		b.names[n] = true
	}
	return b
}

var wordPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// label is the value as a label: itself, or "other".
func (b *bounded) label(value string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names[value] {
		return value
	}
	if b.room <= 0 || !wordPattern.MatchString(value) {
		return other
	}
	b.names[value] = true
	b.room--
	return value
}

// maxForeignCodes is how many codes that are not ours may become labels:
// ComfyUI and its nodes have their own.
const maxForeignCodes = 16

// knownCodes always keep their name as a label.
var knownCodes = []string{
	"accept_timeout", "never_appeared", "run_timeout", "no_files", "broken_off", "saved_nothing", "file_undecided", "file_elsewhere", "half_file", "decided_elsewhere", "worker_restarted", "restarted_while_submitting", "replica_vanished",
	"execution_error", "interrupted", "dead_worker", "worker_restarted", "replicas_differ", "node_list_old", "inputs_doubtful", "deployment_paused", "deployment_unhealthy", "quota_reached", "endpoint_or_key",
	"unreachable", "no_answer", "unreadable_answer", "request_failed", "no_prompt_id", "no_token",
	"partial", "late_files", "worker_refused", "cold_start_long", "control_api", "clock_skew", "disk_low", "share_changed", "share_not_looked_at",
	"folder_blocked", "hostile_file", "not_looked_at", "input_changed", "input_changing", "input_missing", "input_refused", "inputs_not_mounted", "came_late", "nodes_dropped", "outputs_dropped", "outputs_unknown", "no_own_folder", "writes_elsewhere", "previews_saved", "orphans",
	"copy_failed", "dest_taken", "disk_full", "hostile_source", "no_free_name", "not_readable", "not_whole", "not_writable", "source_vanished",
	"share_not_mounted", "share_read_only", "share_stalled", "state_closed", "state_failed", "state_not_writable", "internal",
}

// Codes that are told from the start, as zero: what an alert waits for must be
// there before it happens.
var (
	deadlineCodes = []string{"accept_timeout", "never_appeared", "run_timeout", "no_files"}
	copyCodes     = []string{"copy_failed", "disk_full", "not_readable", "not_writable", "share_not_mounted", "share_stalled", "source_vanished"}
	inputCodes    = []string{"disk_full", "input_changed", "inputs_not_mounted", "not_readable", "not_writable"}
	warningCodes  = []string{"budget_lifted", "budget_near", "budget_reached", "failed_over", "replica_held", "warmup_failed", "warmup_skipped", "disk_full", "endpoint_or_key", "no_nodes", "no_output_directory", "other_volume",
		"inputs_not_mounted", "not_writable", "orphans", "share_changed", "share_not_mounted", "share_stalled", "state_failed", "state_not_writable", "unreachable"}
)

// ownCodes are all codes that always keep their name.
func ownCodes() []string { return slices.Concat(knownCodes, warningCodes, inputCodes) }

// all lists the values that have a label of their own, in no order.
func (b *bounded) all() iter.Seq[string] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Keys(maps.Clone(b.names))
}

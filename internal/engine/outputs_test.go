package engine

import (
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestTally(t *testing.T) {
	prefix := func(node string, s job.OutputState) job.Output {
		return job.Output{Attempt: 1, Node: node, State: s, Evidence: job.ByPrefix}
	}
	bare := job.Output{Attempt: 1, State: job.OutputStored, Evidence: job.ByMetadata}
	one, four, some := job.Expected{Node: "8", Count: 1}, job.Expected{Node: "9", Count: 4}, job.Expected{Node: "9"}
	tests := []struct {
		name    string
		expect  []job.Expected
		dropped []string
		outputs []job.Output
		want    Tally
	}{
		{"nothing yet", []job.Expected{one}, nil, nil, Tally{Expected: 1, Short: true}},
		{"stored", []job.Expected{one}, nil, []job.Output{prefix("8", job.OutputStored)}, Tally{Expected: 1, There: 1, Stored: 1}},
		{"half", []job.Expected{one}, nil, []job.Output{prefix("8", job.OutputSeen)}, Tally{Expected: 1, Half: 1, Short: true}},
		{"too many of one do not stand for another", []job.Expected{one, some}, nil, []job.Output{prefix("8", job.OutputWhole), prefix("8", job.OutputWhole)}, Tally{Expected: 1, There: 2, Short: true, Open: true}},
		{"dropped", []job.Expected{one, four}, []string{"9"}, []job.Output{prefix("8", job.OutputWhole)}, Tally{Expected: 1, There: 1}},
		{"another attempt's", []job.Expected{one}, nil, []job.Output{{Attempt: 2, Node: "8", State: job.OutputStored, Evidence: job.ByPrefix}}, Tally{Expected: 1, Short: true}},
		{"by metadata", []job.Expected{one}, nil, []job.Output{bare}, Tally{Expected: 1, There: 1, Stored: 1}},
		{"by metadata, one of five", []job.Expected{one, four}, nil, []job.Output{bare}, Tally{Expected: 5, There: 1, Stored: 1, Short: true}},
		{"by metadata, all five", []job.Expected{one, four}, nil, []job.Output{bare, bare, bare, bare, bare}, Tally{Expected: 5, There: 5, Stored: 5}},
		{"some by metadata", []job.Expected{one, some}, nil, []job.Output{prefix("8", job.OutputStored), bare}, Tally{Expected: 1, There: 2, Stored: 2, Open: true}},
		{"a stranger in the attempt's folder is nobody's", []job.Expected{one}, nil, []job.Output{prefix("", job.OutputStored)}, Tally{Expected: 1, There: 1, Stored: 1, Short: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := job.Job{Spec: job.Spec{Expect: tt.expect}, Attempts: []job.Attempt{{N: 1, Dropped: tt.dropped}}, Outputs: tt.outputs}
			if got := tally(j, 1, Trace{}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

package fleet

import (
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

func TestBlameNamesTheFirstFaultyNode(t *testing.T) {
	image := comfy.NodeError{ClassType: "LoadImage", DependentOutputs: []string{"9"},
		Errors: []comfy.ComfyError{{Message: "Custom validation failed for node", Details: "image - Invalid image file: a.png"}}}
	e := blame(&job.Error{Message: "Prompt outputs failed validation"}, map[string]comfy.NodeError{"10": image, "1": {ClassType: "SaveImage"}})
	want := "Prompt outputs failed validation: Custom validation failed for node (image - Invalid image file: a.png)"
	if e.Node != "10" || e.NodeType != "LoadImage" || e.Message != want {
		t.Errorf("%+v", e)
	}
	image.Errors[0].Details = strings.Repeat("[x] ", 1000)
	if e := blame(&job.Error{}, map[string]comfy.NodeError{"10": image}); len(e.Message) > maxReason+10 {
		t.Errorf("the sentence has %d bytes", len(e.Message))
	}
	if e := blame(&job.Error{Message: "refused"}, nil); e.Message != "refused" || e.Node != "" {
		t.Errorf("nobody is to blame: %+v", e)
	}
}

package server

import (
	"encoding/json"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

// Row 15: NaN where a node says what is_changed once was is no reason to refuse a body,
// in any other place it is.
func TestRow15InspectTakesNaNOfIsChanged(t *testing.T) {
	for raw, code := range map[string]string{
		`{"prompt":{"1":{"class_type":"A","is_changed":[NaN],"inputs":{}}}}`:                                          "",
		`{"workflow":{"1":{"is_changed":[[-Infinity,{"a":NaN}],"x",Infinity],"inputs":{}},"2":{"is_changed" : NaN}}}`: "",
		`{"prompt":{"1":{"is_changed":[NaN],"inputs":{"x":NaN}}}}`:                                                    "bad_number",
		`{"prompt":{"1":{"is_changed":[1]},"2":{"x":NaN}}}`:                                                           "bad_number",
		`{"prompt":{"1":{"inputs":{"is_changed":NaN}}}}`:                                                              "bad_number",
		`{"prompt":{"is_changed":NaN}}`:                                                                               "bad_number",
		`{"number":NaN}`:                                                                                              "bad_number",
	} {
		body := []byte(raw)
		err := inspect(body, 20)
		switch {
		case code == "" && (err != nil || !json.Valid(body)):
			t.Errorf("%s: %v, read as %s", raw, err, body)
		case code != "" && (err == nil || job.AsError(err).Code != code):
			t.Errorf("%s: %v, want %s", raw, err, code)
		}
	}
}

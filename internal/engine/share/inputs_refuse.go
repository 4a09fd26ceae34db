package share

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// inputFault is why a user's file cannot be had, as an error.
type inputFault = *fault

type fault struct{ comfy.InputFault }

func (f *fault) Error() string { return f.Code + ": " + f.Sentence }

var (
	faultMissing = &fault{comfy.InputFault{Code: "input_missing", Sentence: "there is no such file among your inputs",
		Hint: "upload it again, or choose another file in the node"}}
	faultHostile = &fault{comfy.InputFault{Code: "input_refused", Sentence: "it is no plain file of your own folder, or a link that leads out of it",
		Hint: "put the file itself there"}}
	faultLinked = &fault{comfy.InputFault{Code: "input_refused", Sentence: "it has several hard links, so that it may be another's file",
		Hint: "upload it again, or put a copy there"}}
	faultChanged = &fault{comfy.InputFault{Code: "input_changed", Sentence: "the file is another one by now than when the job was submitted, and the workers have not got the old one any more",
		Hint: "submit the workflow again"}}
)

func cmpFault(err error) error {
	if err != nil {
		return err
	}
	return faultHostile
}

// fileOf is in with what is wrong with it.
func fileOf(in job.Input, f *fault) comfy.InputFile {
	why := f.InputFault
	if in.Base == string(comfy.BaseOutput) && f == faultMissing {
		why.Sentence, why.Hint = "there is no such file among your outputs", "choose another file in the node"
	}
	return comfy.InputFile{Node: in.Node, Class: in.Class, Input: in.Input, Part: in.Part, Name: in.Name, Noun: in.Noun,
		Needed: in.Needed, Outputs: in.Outputs, Fault: &why}
}

// refusedInputs is the refusal in the vocabulary, with ComfyUI's node errors.
func refusedInputs(files []comfy.InputFile) *job.Error {
	r := comfy.RefuseInputs(files)
	e := &job.Error{Code: r.Code, Class: job.Invalid, Message: r.Message, Hint: r.Hint}
	e.NodeErrors, _ = json.Marshal(r.NodeErrors) // of text alone
	return e
}

// errUsersAway is about the folder of all users, of which nobody's file may be
// said to be missing.
func errUsersAway(dir string, err error) *job.Error {
	if !errors.Is(err, fs.ErrNotExist) {
		return &job.Error{Code: "not_readable", Class: job.Unavailable, Transient: true, Message: fmt.Sprintf("%s: %v", dir, cause(err)),
			Hint: `"qmtui doctor" checks all folders`}
	}
	return &job.Error{Code: "inputs_not_mounted", Class: job.Unavailable, Transient: true, Message: dir + " does not exist",
		Hint: "mount it, or make it; then submit again"}
}

// escapes reports what os.Root says of a link that leads out: it has no name for it.
func escapes(err error) bool { return strings.Contains(err.Error(), "escapes") }

// expand puts the user's name into users.subfolder.
func expand(subfolder, user string) string { return strings.ReplaceAll(subfolder, "{user}", user) }

// cutFolder is p without the folder that it begins with; false when it does not.
func cutFolder(p, folder string) (string, bool) {
	if folder == "" {
		return p, false
	}
	return strings.CutPrefix(p, folder+"/")
}

package comfy

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// staged is a choice that names a folder or a file of qmtui on the workers: what
// is staged for one user, or an output of somebody's attempt.
var staged = regexp.MustCompile(`(?:^|[/\\])qm(?:[/\\]|$)`)

// withoutStaged gives entries of /object_info without such choices: they are
// no choice of anybody's, and nobody's to see. It reports whether one had any.
func withoutStaged(entries map[string]json.RawMessage) bool {
	found := false
	for name, entry := range entries {
		if !bytes.Contains(entry, []byte("qm")) {
			continue
		}
		if left := entryWithoutStaged(entry); left != nil {
			entries[name], found = left, true
		}
	}
	return found
}

// entryWithoutStaged is nil for an entry without such choices. Only the
// choices are written anew: pages go by the order of the inputs.
func entryWithoutStaged(entry json.RawMessage) json.RawMessage {
	var class struct {
		Input map[string]json.RawMessage `json:"input"`
	}
	if json.Unmarshal(entry, &class) != nil {
		return nil
	}
	var out json.RawMessage
	for _, declared := range class.Input {
		var inputs map[string]json.RawMessage
		if json.Unmarshal(declared, &inputs) != nil {
			continue
		}
		for _, spec := range inputs {
			var parts []json.RawMessage
			if json.Unmarshal(spec, &parts) != nil || len(parts) == 0 {
				continue
			}
			lists := parts[:1:1]
			var options map[string]json.RawMessage
			if len(parts) > 1 && json.Unmarshal(parts[1], &options) == nil {
				lists = append(lists, options["options"])
			}
			for _, list := range lists {
				if left := choicesWithoutStaged(list); left != nil {
					if out == nil {
						out = slices.Clone(entry)
					}
					out = bytes.Replace(out, list, left, -1)
				}
			}
		}
	}
	return out
}

func choicesWithoutStaged(list json.RawMessage) json.RawMessage {
	var choices []json.RawMessage
	if len(list) == 0 || json.Unmarshal(list, &choices) != nil {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(choices), func(c json.RawMessage) bool {
		var name string
		return json.Unmarshal(c, &name) == nil && staged.MatchString(name)
	})
	if len(left) == len(choices) {
		return nil
	}
	b, err := json.Marshal(left)
	if err != nil { // each was read as JSON
		return json.RawMessage("[]")
	}
	return b
}

// entriesJSON writes entries as /object_info has them, in the order of their names.
func entriesJSON(entries map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a string can be written
		b.Write(key)
		b.WriteByte(':')
		b.Write(entries[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

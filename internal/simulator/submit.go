package simulator

import (
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// postPrompt is POST /prompt: it answers before anything runs.
func (r *replica) postPrompt(w http.ResponseWriter, q *request) {
	v, err := loads(q.body)
	if err != nil {
		trouble(w)
		return
	}
	body, ok := v.(*object)
	if !ok {
		r.oddBody(w, v)
		return
	}
	t, err := r.newTask(body, q)
	if err != nil {
		trouble(w)
		return
	}
	prompt, has := body.get("prompt")
	if !has {
		noPrompt(w)
		return
	}
	if raw := body.values["prompt_id"]; r.modern() && raw != nil && !canonicalUUID(raw) {
		writeJSON(w, http.StatusBadRequest, dict("error", refusalOf("invalid_prompt_id", "prompt_id must be a valid UUID",
			"prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one"), "node_errors", dict()))
		return
	}
	r.judge(w, body, prompt, t)
}

// canonicalUUID says whether 0.33 takes this as the id of a prompt.
func canonicalUUID(id any) bool {
	s, ok := id.(string)
	u, err := uuid.Parse(s)
	return ok && err == nil && u.String() == s
}

// replaceNodes rewrites nodes of old class names as 0.33 does before it
// checks a prompt. False: the server breaks on a replaced node without _meta.
func replaceNodes(prompt any, classes map[string]*class) bool {
	nodes, _ := prompt.(*object)
	if nodes == nil {
		return true
	}
	for _, id := range nodes.keys {
		node, _ := nodes.values[id].(*object)
		if node == nil {
			continue
		}
		kind := text(node.values["class_type"])
		list, _ := replacements().values[kind].([]any)
		inputs, _ := node.values["inputs"].(*object)
		if classes[kind] != nil || list == nil || inputs == nil || classes[text(dig(list[0], "new_node_id"))] == nil {
			continue
		}
		if _, has := node.get("_meta"); !has {
			return false
		}
		replaced := dict()
		mapping, _ := dig(list[0], "input_mapping").([]any)
		for _, m := range mapping {
			value, set := m.(*object).get("set_value")
			if !set {
				value = inputs.values[text(dig(m, "old_id"))]
			}
			replaced.set(text(dig(m, "new_id")), value)
		}
		node.set("class_type", dig(list[0], "new_node_id"))
		node.set("inputs", replaced)
	}
	return true
}

// oddBody is a body that is JSON but no object: Python finds no "prompt" in a
// list or string, and cannot look into the rest.
func (r *replica) oddBody(w http.ResponseWriter, v any) {
	switch v.(type) {
	case []any, string:
		r.nextNumber()
		noPrompt(w)
	default:
		trouble(w)
	}
}

func noPrompt(w http.ResponseWriter) {
	writeJSON(w, http.StatusBadRequest, dict("error", refusalOf("no_prompt", "No prompt provided", "No prompt provided"), "node_errors", dict()))
}

// newTask reads everything of the body but the prompt itself.
func (r *replica) newTask(body *object, q *request) (*task, error) {
	t := &task{plan: q.plan, content: q.content, turn: q.occurrence}
	if raw, has := body.get("number"); has {
		f, err := toFloat(raw)
		if err != nil {
			return nil, err
		}
		t.number, t.order = f, f.(float64)
	} else {
		n := r.nextNumber()
		if truth(body.values["front"]) {
			n = -n
		}
		t.number, t.order = number(n), float64(n)
	}
	t.id = r.newPromptID()
	if raw, has := body.get("prompt_id"); has && (raw != nil || !r.modern()) {
		t.id = text(raw)
	}
	return t, nil
}

func (r *replica) judge(w http.ResponseWriter, body *object, prompt any, t *task) {
	targets, _ := body.values["partial_execution_targets"].([]any)
	if r.modern() && !replaceNodes(prompt, r.catalog().classes) {
		trouble(w)
		return
	}
	v, err := server{r.catalog().classes, r.modern(), r.dep.fleet.hasInput}.validate(prompt, targets)
	if err != nil {
		trouble(w)
		return
	}
	extra, err := extraData(body)
	if err != nil {
		trouble(w)
		return
	}
	if v.refusal != nil {
		writeJSON(w, http.StatusBadRequest, dict("error", v.refusal, "node_errors", v.nodeErrors))
		return
	}
	t.prompt, t.extra, t.outputs = prompt.(*object), extra, v.outputs
	if !r.enqueue(t) {
		http.Error(w, "<html><h1>502 Bad Gateway</h1></html>", http.StatusBadGateway)
		return
	}
	writeJSON(w, http.StatusOK, dict("prompt_id", t.id, "number", t.number, "node_errors", v.nodeErrors))
}

var sensitive = []string{"auth_token_comfy_org", "api_key_comfy_org"}

// extraData is the body's extra_data with the client id and the time of
// creation, without keys nobody may see.
func extraData(body *object) (*object, error) {
	extra := dict()
	if raw, has := body.get("extra_data"); has {
		given, ok := raw.(*object)
		if !ok {
			return nil, &exception{"TypeError", "extra_data is not an object"}
		}
		extra = given
	}
	if id, has := body.get("client_id"); has {
		extra.set("client_id", id)
	}
	for _, key := range sensitive {
		extra.pop(key)
	}
	extra.set("create_time", millis(time.Now()))
	return extra, nil
}

func millis(t time.Time) integer { return integer(strconv.FormatInt(t.UnixMilli(), 10)) }

// inside says whether name, joined to folder, stays in it.
func inside(folder, name string) bool {
	folder = filepath.Clean(folder)
	return within(folder, filepath.Join(folder, name))
}

package doctor

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The resources of the provider verda-cloud/verda 1.1, whose documentation
// (docs/resources/container.md, container_scaling.md) is the schema that is
// read here, and the name it had before.
var (
	containerTypes = []string{"verda_container", "datacrunch_container"}
	scalingTypes   = []string{"verda_container_scaling", "datacrunch_container_scaling"}
)

// unknownWord stands for a word of a command line that only a run knows.
const unknownWord = "\x00"

// containersIn reads the deployments of one module, and makes their names
// known to the scope: other resources refer to them.
func containersIn(s *scope, blocks hcl.Blocks) []Tofu {
	var out []Tofu
	named := map[string]map[string]cty.Value{}
	for _, b := range blocks {
		if b.Type != "resource" || !slices.Contains(containerTypes, b.Labels[0]) {
			continue
		}
		if len(out) > maxTofuFound {
			break // the caller says so
		}
		attrs := attributesOf(b.Body)
		keyed := map[string]cty.Value{}
		for _, each := range s.instances(attrs) {
			t := container(each, attrs)
			if t.Name == "" {
				t.Name = b.Labels[1] + instanceKey(each)
			}
			t.At = fmt.Sprintf("%s:%d", filepath.Base(b.DefRange.Filename), b.DefRange.Start.Line)
			out = append(out, t)
			keyed[textOf(field(each.names["each"], "key"))] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(t.Name)})
		}
		if named[b.Labels[0]] == nil {
			named[b.Labels[0]] = map[string]cty.Value{}
		}
		named[b.Labels[0]][b.Labels[1]] = reference(attrs, keyed)
	}
	for kind, m := range named {
		s.names[kind] = object(m)
	}
	return out
}

// reference is a resource as others see it: one object, or one by each key.
func reference(attrs hcl.Attributes, keyed map[string]cty.Value) cty.Value {
	switch {
	case attrs["for_each"] != nil:
		return object(keyed)
	case attrs["count"] != nil || len(keyed) != 1:
		return cty.DynamicVal
	}
	return slices.Collect(maps.Values(keyed))[0]
}

// attributesOf is the attributes of a body. Nested blocks, which the schema
// does not have, are left out.
func attributesOf(body hcl.Body) hcl.Attributes {
	attrs, _ := body.JustAttributes()
	return attrs
}

func instanceKey(s *scope) string {
	if key := textOf(field(s.names["each"], "key")); key != "" {
		return "[" + key + "]"
	}
	if n := textOf(field(s.names["count"], "index")); n != "" {
		return "[" + n + "]"
	}
	return ""
}

// valueOf is an attribute's value; null when it is not there.
func (s *scope) valueOf(attrs hcl.Attributes, name string) cty.Value {
	if a := attrs[name]; a != nil {
		return s.value(a.Expr)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

func container(s *scope, attrs hcl.Attributes) Tofu {
	t := Tofu{Name: s.text(attrs, "name")}
	t.scaling(s.valueOf(attrs, "scaling"))
	containers, known := items(s.valueOf(attrs, "containers"))
	if !known || len(containers) == 0 {
		t.CommandUnknown, t.HealthUnknown = true, true
		return t
	}
	for _, c := range containers {
		t.container(c)
	}
	return t
}

// scaling reads the attributes of scaling, or of verda_container_scaling.
func (t *Tofu) scaling(v cty.Value) {
	t.Concurrency = numberOf(field(v, "concurrent_requests_per_replica"))
	t.ScaleDown = numberOf(field(v, "scale_down_policy", "delay_seconds"))
	t.MinReplicas = numberOf(field(v, "min_replica_count"))
	t.QueueTTL = numberOf(field(v, "queue_message_ttl_seconds"))
	t.Deadline = numberOf(field(v, "deadline_seconds"))
}

// numberOf is a whole number that is not negative; -1 when it is not known.
func numberOf(v cty.Value) int {
	n, err := strconv.ParseFloat(textOf(v), 64)
	if err != nil || n < 0 || n > 1e9 {
		return -1
	}
	return int(n)
}

// container adds one of the containers of a deployment; nearly always there is one.
func (t *Tofu) container(c cty.Value) {
	t.Exposed = textOf(field(c, "exposed_port"))
	t.command(field(c, "entrypoint_overrides"))
	t.environment(field(c, "env"))
	t.mounts(field(c, "volume_mounts"))
	t.health(field(c, "healthcheck"))
}

func (t *Tofu) command(v cty.Value) {
	enabled := field(v, "enabled")
	t.CommandUnknown = t.CommandUnknown || !v.IsKnown() || !enabled.IsKnown()
	if textOf(enabled) != "true" {
		return
	}
	t.Overridden = true
	for _, name := range []string{"entrypoint", "cmd"} {
		words, known := items(field(v, name))
		t.CommandUnknown = t.CommandUnknown || !known
		for _, w := range words {
			if !w.IsKnown() {
				t.CommandUnknown = true
				t.Command = append(t.Command, unknownWord)
				continue
			}
			t.Command = append(t.Command, textOf(w))
		}
	}
}

// environment keeps the values of plain variables: an image may take its
// command line from one.
func (t *Tofu) environment(v cty.Value) {
	all, known := items(v)
	t.EnvUnknown = t.EnvUnknown || !known
	for _, e := range all {
		if textOf(field(e, "type")) == "plain" {
			t.Env = append(t.Env, textOf(field(e, "value_or_reference_to_secret")))
		}
	}
}

func (t *Tofu) mounts(v cty.Value) {
	all, known := items(v)
	t.MountsUnknown = t.MountsUnknown || !known
	for _, m := range all {
		kind, at := field(m, "type"), textOf(field(m, "mount_path"))
		switch {
		case textOf(kind) == "shared" && at != "":
			t.Shared = append(t.Shared, at)
		case !kind.IsKnown() || textOf(kind) == "shared":
			t.MountsUnknown = true
		}
	}
}

func (t *Tofu) health(v cty.Value) {
	enabled, path := field(v, "enabled"), field(v, "path")
	if !v.IsKnown() || !enabled.IsKnown() || !path.IsKnown() {
		t.HealthUnknown = true
		return
	}
	t.Health = textOf(enabled) == "true"
	t.HealthPath, t.HealthPort = textOf(path), textOf(field(v, "port"))
}

// applyScaling lets verda_container_scaling resources change the deployments
// that they name.
func applyScaling(s *scope, blocks hcl.Blocks, found []Tofu) {
	for _, b := range blocks {
		if b.Type != "resource" || !slices.Contains(scalingTypes, b.Labels[0]) {
			continue
		}
		attrs := attributesOf(b.Body)
		for _, each := range s.instances(attrs) {
			name, values := each.text(attrs, "deployment_name"), map[string]cty.Value{}
			for k, a := range attrs {
				values[k] = each.value(a.Expr)
			}
			for i := range found {
				if name != "" && found[i].Name == name {
					found[i].scaling(object(values))
				}
			}
		}
	}
}

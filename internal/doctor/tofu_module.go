package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// Bounds on foreign files.
const (
	maxTofuFile   = 1 << 20 // bytes
	maxTofuFiles  = 500
	maxTofuDepth  = 5   // of modules in modules
	maxTofuCopies = 100 // of one resource, by count or for_each
	maxTofuNested = 200 // brackets in brackets
	maxTofuFound  = 500 // deployments
)

// ReadTofu reads the deployments in a folder of OpenTofu files, sorted by
// name. It parses and evaluates what needs no run: variables with defaults and
// *.tfvars, locals, for_each and count, local modules. Nothing is started,
// fetched or written.
func ReadTofu(dir string) ([]Tofu, error) {
	vars, err := readVariableFiles(dir)
	if err != nil {
		return nil, err
	}
	found, err := readModule(dir, vars, 0)
	slices.SortStableFunc(found, func(a, b Tofu) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

// tofuSchema is what of a file matters here; the rest is left alone.
var tofuSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "module", LabelNames: []string{"name"}},
	{Type: "locals"},
}}

// readModule reads one folder with given values of its variables.
func readModule(dir string, vars map[string]cty.Value, depth int) ([]Tofu, error) {
	if depth > maxTofuDepth {
		return nil, fmt.Errorf("%s: modules are nested more than %d deep", dir, maxTofuDepth)
	}
	blocks, err := readBlocks(dir)
	if err != nil {
		return nil, err
	}
	s := newScope(blocks, vars, dir)
	found := containersIn(s, blocks)
	applyScaling(s, blocks, found)
	if len(found) > maxTofuFound {
		return nil, errTooMany(dir)
	}
	for _, b := range blocks {
		if b.Type != "module" {
			continue
		}
		inner, err := readCalled(s, b, dir, depth)
		if err != nil {
			return nil, err
		}
		if found = append(found, inner...); len(found) > maxTofuFound {
			return nil, errTooMany(dir)
		}
	}
	return found, nil
}

func errTooMany(dir string) error {
	return fmt.Errorf("read %s: there are more than %d deployments", dir, maxTofuFound)
}

// readCalled reads a module of this machine that a module calls; one from
// elsewhere is left out.
func readCalled(s *scope, b *hcl.Block, dir string, depth int) ([]Tofu, error) {
	attrs, _ := b.Body.JustAttributes()
	source := s.text(attrs, "source")
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		return nil, nil
	}
	var all []Tofu
	for _, each := range s.instances(attrs) {
		vars := map[string]cty.Value{}
		for name, a := range attrs {
			vars[name] = each.value(a.Expr)
		}
		found, err := readModule(filepath.Join(dir, source), vars, depth+1)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxTofuFound {
			return nil, errTooMany(dir)
		}
	}
	return all, nil
}

// readBlocks parses the *.tf and *.tf.json files of one folder.
func readBlocks(dir string) (hcl.Blocks, error) {
	files, err := tofuFiles(dir, ".tf", ".tf.json")
	if err != nil {
		return nil, err
	}
	var out hcl.Blocks
	for _, path := range files {
		body, err := parseTofu(path)
		if err != nil {
			return nil, err
		}
		content, _, _ := body.PartialContent(tofuSchema) // what is malformed there is left to tofu validate
		if content != nil {
			out = append(out, content.Blocks...)
		}
	}
	return out, nil
}

// tofuFiles lists files of a folder by the end of their names, sorted.
func tofuFiles(dir string, ends ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, errors.Unwrap(err))
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	if len(out) > maxTofuFiles {
		return nil, fmt.Errorf("read %s: there are more than %d files", dir, maxTofuFiles)
	}
	return out, nil
}

func parseTofu(path string) (hcl.Body, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
	case !info.Mode().IsRegular() || info.Size() > maxTofuFile:
		return nil, fmt.Errorf("read %s: it is no regular file of at most %d bytes", path, maxTofuFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
	}
	return parseTofuText(text, path)
}

// parseTofuText parses HCL, or its JSON form when the name says so.
func parseTofuText(text []byte, path string) (body hcl.Body, err error) {
	defer func() {
		if p := recover(); p != nil { // a parser of foreign bytes must not end doctor
			err = fmt.Errorf("read %s: the parser broke: %v", path, p)
		}
	}()
	if nestedTooDeep(text) {
		return nil, fmt.Errorf("read %s: brackets are nested more than %d deep", path, maxTofuNested)
	}
	parser := hclparse.NewParser()
	parse := parser.ParseHCL
	if strings.HasSuffix(path, ".json") {
		parse = parser.ParseJSON
	}
	f, diags := parse(text, path)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read %s: %s", place(diags, path), strings.ToLower(strings.TrimRight(firstError(diags).Summary, ".")))
	}
	return f.Body, nil
}

// nestedTooDeep reports brackets that a parser would follow down its stack.
// Those in texts count too: nobody has so many there either.
func nestedTooDeep(text []byte) bool {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
	}
	return deepest > maxTofuNested
}

// readVariableFiles reads terraform.tfvars and *.auto.tfvars, later ones winning.
func readVariableFiles(dir string) (map[string]cty.Value, error) {
	vars := map[string]cty.Value{}
	files, err := tofuFiles(dir, "terraform.tfvars", "terraform.tfvars.json", ".auto.tfvars", ".auto.tfvars.json")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(files, func(a, b string) int { return rankVariables(a) - rankVariables(b) })
	for _, path := range files {
		body, err := parseTofu(path)
		if err != nil {
			return nil, err
		}
		attrs, _ := body.JustAttributes()
		for name, a := range attrs {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() {
				vars[name] = v
			}
		}
	}
	return vars, nil
}

// rankVariables puts terraform.tfvars before the automatic files.
func rankVariables(path string) int {
	if strings.HasPrefix(filepath.Base(path), "terraform.tfvars") {
		return 0
	}
	return 1
}

func firstError(diags hcl.Diagnostics) *hcl.Diagnostic {
	return diags[slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagError })]
}

// place is file:line of the first error, or the file.
func place(diags hcl.Diagnostics, path string) string {
	if s := firstError(diags).Subject; s != nil {
		return fmt.Sprintf("%s:%d", path, s.Start.Line)
	}
	return path
}

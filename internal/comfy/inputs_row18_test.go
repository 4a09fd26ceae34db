package comfy

import (
	"fmt"
	"strings"
	"testing"
)

// large are prompts of 9 MB of text, by what is in it.
func large() map[string]string {
	const size = 9 << 20
	node := func(text string) string { return loading("CLIPTextEncode", `"text":"`+text+`"`) }
	many := func(count int, text string) string {
		var b strings.Builder
		b.WriteString("{" + shown)
		for i := range count {
			fmt.Fprintf(&b, `,"%d":{"class_type":"CLIPTextEncode","inputs":{"text":"%s"}}`, 10+i, text)
		}
		return b.String() + "}"
	}
	inputs := make([]string, 0, 60_000)
	for i := range cap(inputs) {
		inputs = append(inputs, fmt.Sprintf(`"t%d":"%s"`, i, strings.Repeat("x/", 60)))
	}
	return map[string]string{
		"words":      node(strings.Repeat("a picture of ", size/13)),
		"slashes":    node(strings.Repeat("/", size)),
		"folders":    node(strings.Repeat("a/../", size/5)),
		"ours":       node(strings.Repeat("qm/", size/3)),
		"ours, user": node(strings.Repeat("/qm/user001", size/11)),
		"sums":       node(strings.Repeat("/qm/u/"+sum[:63], size/69)),
		"annotated":  loading("LoadImage", `"image":"`+strings.Repeat("qm/u/", size/5)+` [input]"`),
		"a file":     loading("LoadImage", `"image":"`+strings.Repeat("a/../b", size/6)+`"`),
		"5000 nodes": many(4990, strings.Repeat("a/../", size/5/5000)),
		"inputs":     loading("Odd", strings.Join(inputs, ",")),
		"folder":     loading("LoadImageDataSetFromFolder", `"folder":"`+strings.Repeat("a/./", size/4)+`"`),
	}
}

func BenchmarkRow18Parse(b *testing.B) {
	for name, raw := range large() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				_, _ = ParsePrompt([]byte(raw), Limits{})
			}
		})
	}
}

func BenchmarkRow18InputFiles(b *testing.B) {
	info, err := ParseObjectInfo([]byte(`{"SaveImage":{"output_node":true},"Odd":{"input":{"required":{}}}}`))
	if err != nil {
		b.Fatal(err)
	}
	for name, raw := range large() {
		p := parse(b, raw)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				p.InputFiles(info)
			}
		})
	}
}

// Row 18: the work on a text is a few steps for each of its bytes, and for a prompt of
// many inputs there is no work for each pair of them.
func TestRow18SearchForInputsIsLinear(t *testing.T) {
	for name, text := range map[string]string{
		"words": strings.Repeat("a picture of ", 80_000), "slashes": strings.Repeat("/", 1<<20), "ours": strings.Repeat("qm/", 350_000),
		"ours, slashes": "qm/" + strings.Repeat("/", 1<<20), "user": "/qm/" + strings.Repeat("u", 1<<20), "users": strings.Repeat("/qm/user001", 100_000),
		"sums": strings.Repeat("/qm/u/"+sum[:63], 15_000), "our user": strings.Repeat("/qm/qm//////////", 60_000),
	} {
		if found, looked := stagedSomewhere(text); found || looked > 3*len(text) {
			t.Errorf("%s: found is %v, %d steps for %d bytes", name, found, looked, len(text))
		}
	}
	var fields []string
	for i := range 5000 {
		fields = append(fields, fmt.Sprintf(`"t%d":"qm/../x"`, i))
	}
	info, err := ParseObjectInfo([]byte(`{"Odd":{"input":{"required":{` + strings.ReplaceAll(strings.Join(fields, ","), `"qm/../x"`, `[["a"],{"image_upload":true}]`) + `}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, loading("Odd", strings.Join(fields, ",")))
	if got := testing.AllocsPerRun(1, func() { p.InputFiles(info) }); got > 200_000 {
		t.Errorf("%v allocations for 5000 inputs", got)
	}
}

// stagedForms keep what the search found before it was linear.
func TestRow18WhatIsStagedIsStillFound(t *testing.T) {
	for text, want := range map[string]bool{
		"qm/u/" + sum: true, "/qm/u/" + sum: true, "a/qm///u-_1//" + sum + "/input/x": true, "qm/./u/x/../" + sum: true,
		"see qm/u/" + sum: false, "qm/u/" + sum[:63]: false, "qm/u/" + sum[:63] + "G": false, "qm//" + sum: false, "qmx/u/" + sum: false,
		"qm/" + strings.Repeat("u", 100) + "/" + sum: true, "qm/" + strings.Repeat("u", 101) + "/" + sum: false,
		"qm/qm/u/" + sum: true, "qm/a b/" + sum: false, "": false, "line\n/qm/u/" + sum: true, "qm/u/x//../" + sum + "/y": true,
	} {
		if got := namesStaged(text, false); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

package comfy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestModels(t *testing.T) {
	many := []string{}
	for i := range 40 {
		many = append(many, fmt.Sprintf(`"%d":{"class_type":"LoraLoader","inputs":{"lora_name":"l%02d.safetensors"}}`, i, i))
	}
	for name, c := range map[string]struct {
		prompt string
		want   []string
	}{
		"none": {`{"1":{"class_type":"EmptyImage","inputs":{"width":64}}}`, nil},
		"each once and sorted": {`{"1":{"class_type":"UNETLoader","inputs":{"unet_name":"wan/Wan2.2.safetensors","weight_dtype":"default"}},
			"2":{"class_type":"LoraLoader","inputs":{"lora_name":"a.SFT","model":["1",0],"strength_model":1}},
			"3":{"class_type":"UNETLoader","inputs":{"unet_name":"wan/Wan2.2.safetensors"}}}`, []string{"a.SFT", "wan/Wan2.2.safetensors"}},
		"pictures and prefixes are none": {`{"1":{"class_type":"LoadImage","inputs":{"image":"cat.png"}},"2":{"class_type":"SaveImage","inputs":{"filename_prefix":"v1.2"}}}`, nil},
		"a linked name is not known":     {`{"1":{"class_type":"X","inputs":{"ckpt_name":["2",0]}},"2":{"class_type":"Y","inputs":{"text":"sdxl"}}}`, nil},
		"a name beyond all measure":      {`{"1":{"class_type":"X","inputs":{"ckpt_name":"` + strings.Repeat("x", 300) + `.ckpt"}}}`, nil},
	} {
		p, err := ParsePrompt([]byte(c.prompt), Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if got := p.Models(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	p, err := ParsePrompt([]byte("{"+strings.Join(many, ",")+"}"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Models(); len(got) != maxModels {
		t.Errorf("%d models", len(got))
	}
}

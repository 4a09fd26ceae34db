package simulator

import (
	"bytes"
	"image"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/comfy"
)

// everyFormat is one prompt with a save node of each kind.
const everyFormat = `{"prompt":{
"1":{"class_type":"EmptyImage","inputs":{"width":96,"height":64,"batch_size":3,"color":8421504}},
"2":{"class_type":"CLIPTextEncode","inputs":{"text":"Ünïcödé 图 \"quoted\"","clip":["4",1]}},
"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd_xl_base_1.0.safetensors"}},
"5":{"class_type":"EmptyLatentImage","inputs":{"width":512,"height":256,"batch_size":3}},
"3":{"class_type":"KSampler","inputs":{"model":["4",0],"seed":7,"steps":20,"cfg":8.0,"sampler_name":"euler","scheduler":"normal","positive":["2",0],"negative":["2",0],"latent_image":["5",0],"denoise":1.0}},
"8":{"class_type":"VAEDecode","inputs":{"samples":["3",0],"vae":["4",2]}},
"7":{"class_type":"EmptyAudio","inputs":{"duration":0.5,"sample_rate":44100,"channels":2}},
"6":{"class_type":"CreateVideo","inputs":{"images":["8",0],"fps":24.0,"audio":["7",0]}},
"20":{"class_type":"SaveImage","inputs":{"images":["8",0],"filename_prefix":"f/png"}},
"21":{"class_type":"SaveAnimatedPNG","inputs":{"images":["8",0],"filename_prefix":"f/apng","fps":6.0,"compress_level":4}},
"22":{"class_type":"SaveAnimatedWEBP","inputs":{"images":["8",0],"filename_prefix":"f/webp","fps":6.0,"lossless":true,"quality":80,"method":"default"}},
"23":{"class_type":"SaveVideo","inputs":{"video":["6",0],"filename_prefix":"f/video/mp4","format":"auto","codec":"auto"}},
"24":{"class_type":"SaveWEBM","inputs":{"images":["1",0],"filename_prefix":"f/webm","codec":"vp9","fps":24.0,"crf":32.0}},
"25":{"class_type":"SaveAudio","inputs":{"audio":["7",0],"filename_prefix":"f/flac"}},
"26":{"class_type":"SaveAudioMP3","inputs":{"audio":["7",0],"filename_prefix":"f/mp3","quality":"V0"}},
"27":{"class_type":"SaveAudioOpus","inputs":{"audio":["7",0],"filename_prefix":"f/opus","quality":"64k"}},
"28":{"class_type":"SaveLatent","inputs":{"samples":["3",0],"filename_prefix":"f/latent"}},
"30":{"class_type":"QMSVG","inputs":{"text":"hello"}},
"29":{"class_type":"SaveSVGNode","inputs":{"svg":["30",0],"filename_prefix":"f/svg"}},
"32":{"class_type":"QMMesh","inputs":{"k":0}},
"31":{"class_type":"SaveGLB","inputs":{"mesh":["32",0],"filename_prefix":"f/glb"}},
"33":{"class_type":"ModelSave","inputs":{"model":["4",0],"filename_prefix":"f/model"}},
"34":{"class_type":"PreviewImage","inputs":{"images":["8",0]}}
},"prompt_id":"ID","client_id":"c","extra_data":{"extra_pnginfo":{"workflow":{"id":"wf","title":"图"},"qm":{"job":"j1","node":"9"}}}}`

func TestEveryFormatIsWholeAndCarriesItsMetadata(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, strings.Replace(everyFormat, "ID", "first", 1))
		settle(t, f)
		post(t, f, strings.Replace(strings.ReplaceAll(everyFormat, `"f/`, `"g/`), "ID", "second", 1))
		settle(t, f)
		files := f.Manifest()
		if len(files) != 2*14 {
			t.Fatalf("%d files, want 28: %s", len(files), call(f, "GET", "/gpu/history", "").Body)
		}
		seen := map[string]string{}
		for _, w := range files {
			if other, twice := seen[w.Checksum]; twice {
				t.Errorf("%s and %s have the same bytes", w.Path, other)
			}
			seen[w.Checksum] = w.Path
			checkFile(t, f, w)
		}
	})
}

func checkFile(t *testing.T, f *Fleet, w Written) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(f.cfg.Outputs, w.Path))
	if err != nil || checksum(body) != w.Checksum || int64(len(body)) != w.Size {
		t.Errorf("%s: %v, %d bytes %s, manifest %d %s", w.Path, err, len(body), checksum(body), w.Size, w.Checksum)
		return
	}
	verdict, err := comfy.Whole(bytes.NewReader(body), w.Size, w.Path)
	if err != nil || verdict != comfy.Complete && verdict != comfy.Settling {
		t.Errorf("%s: %v %v", w.Path, verdict, err)
	}
	half, err := comfy.Whole(bytes.NewReader(body[:len(body)*2/3]), w.Size*2/3, w.Path)
	if err != nil || half == comfy.Complete {
		t.Errorf("%s: two thirds of it are %v", w.Path, half)
	}
	meta, err := comfy.Metadata(bytes.NewReader(body), w.Size, w.Path)
	if err != nil {
		t.Errorf("%s: %v", w.Path, err)
	}
	qm, err := loads([]byte(meta["qm"]))
	if err != nil || dig(qm, "job") != "j1" {
		t.Errorf("%s: qm is %q", w.Path, meta["qm"])
	}
	prompt, err := loads([]byte(meta["prompt"]))
	if err != nil || dig(prompt, "2", "class_type") != "CLIPTextEncode" {
		t.Errorf("%s: prompt is %.80q", w.Path, meta["prompt"])
	}
}

func TestOutputsAsHistoryReportsThem(t *testing.T) {
	// Recorded: transcripts 07-metadata.
	want := map[string]string{
		"20": "images", "21": "animated images", "22": "animated images", "23": "animated images", "24": "animated images",
		"25": "audio", "26": "audio", "27": "audio", "28": "latents", "29": "images", "31": "3d", "34": "images",
	}
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		entry := run(t, f, "every format", everyFormat)
		outputs := entry.values["outputs"].(*object)
		for _, id := range outputs.keys {
			ui := outputs.values[id].(*object)
			keys := strings.Join(sortedStrings(ui.keys), " ")
			if keys != want[id] {
				t.Errorf("node %s reports %q, want %q", id, keys, want[id])
			}
		}
		if len(outputs.keys) != len(want) {
			t.Errorf("%d nodes report, want %d", len(outputs.keys), len(want))
		}
	})
}

func TestPicturesDifferByPromptAndSeed(t *testing.T) {
	a := material{text: "a fox", seed: 1, width: 1024, height: 512, flat: -1}
	b, c := a, a
	b.text, c.seed = "a heron", 2
	pictures := [][]byte{a.frame(0, 64).Pix, a.frame(1, 64).Pix, b.frame(0, 64).Pix, c.frame(0, 64).Pix}
	for i := range pictures {
		for j := range i {
			if bytes.Equal(pictures[i], pictures[j]) {
				t.Errorf("pictures %d and %d are the same", i, j)
			}
		}
	}
	if !bytes.Equal(a.frame(0, 64).Pix, pictures[0]) {
		t.Error("the same picture twice is not the same")
	}
	if size := a.frame(0, 64).Rect; size != image.Rect(0, 0, 64, 32) {
		t.Errorf("1024x512 in 64 is %v", size)
	}
}

func TestLargeOpusCommentsSpanPages(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	s := scene{prompt: dict("1", dict("text", long)), mark: 5}
	body, err := encodeOpus(s)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := comfy.Whole(bytes.NewReader(body), int64(len(body)), "a.opus"); err != nil || v != comfy.Complete {
		t.Errorf("%v %v", v, err)
	}
	meta, err := comfy.Metadata(bytes.NewReader(body), int64(len(body)), "a.opus")
	if err != nil || !strings.Contains(meta["prompt"], long) {
		t.Errorf("%v: the prompt has %d bytes", err, len(meta["prompt"]))
	}
}

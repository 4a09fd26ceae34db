package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// strayPNG is a whole file that says it has so many pixels of 16 bits a channel.
func strayPNG(side uint32) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	for _, c := range []struct {
		kind string
		body []byte
	}{{"IHDR", append(head, 16, 6, 0, 0, 0)}, {"IDAT", []byte("x")}, {"IEND", nil}} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(c.body))), c.kind...)
		out = binary.BigEndian.AppendUint32(append(out, c.body...), crc32.Update(crc32.ChecksumIEEE([]byte(c.kind)), crc32.IEEETable, c.body))
	}
	return out
}

// hostileFiles cost a reader much that does what they say.
func hostileFiles() map[string][]byte {
	mp4 := []byte("\x00\x00\x00\x10ftypisom\x00\x00\x02\x00")
	for i := range 1_000_000 {
		mp4 = append(mp4, 0, 0, 0, 8, byte(33+i%90), byte(33+i/90%90), byte(33+i/8100%90), byte(33+i/729000%90))
	}
	svg := append([]byte("<svg"), bytes.Repeat([]byte(" a=''"), 2<<20)...)
	return map[string][]byte{"boxes.mp4": mp4, "attributes.svg": append(svg, "></svg>"...),
		"loop.tiff": append([]byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"), make([]byte, 64)...)}
}

// TestLimitsRow10HostileFilesOnTheShare: while somebody plants files that cost
// much to look at, and pictures that cost much to decode, another user's jobs
// are done and shown as ever, and the pictures are refused.
func TestLimitsRow10HostileFilesOnTheShare(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) { p.config.Share.Sweep = config.Duration(500 * time.Millisecond) })
	s.awaitEnd(s.submit("user002", saving("kept/out")).ID, job.Done) // what stood there before the manager did is nobody's
	stray := filepath.Join(s.scene.Share(), "stray")
	check(t, os.MkdirAll(stray, 0o755))
	check(t, os.WriteFile(filepath.Join(stray, "bomb.png"), strayPNG(8192), 0o644))
	for name, b := range hostileFiles() {
		check(t, os.WriteFile(filepath.Join(stray, name), b, 0o644))
	}
	start := time.Now()
	j := s.awaitEnd(s.submit("user002", saving("kept/out")).ID, job.Done)
	if took := time.Since(start); took > 10*time.Second && !raceDetector {
		t.Errorf("another user's job took %v", took)
	}

	small, err := s.client.Preview(t.Context(), j.Outputs[0].ID, 16)
	check(t, err)
	if c, err := png.DecodeConfig(bytes.NewReader(small)); err != nil || c.Width > 16 {
		t.Errorf("the preview is %+v, %v", c, err)
	}
	var bomb job.OutputID
	s.eventually("the picture is an orphan", func() bool {
		orphans, err := s.client.Orphans(t.Context(), "")
		check(t, err)
		for _, o := range orphans {
			if filepath.Base(string(o.Path)) == "bomb.png" {
				bomb = o.ID
			}
		}
		return bomb != ""
	})
	_, err = s.client.OrphanPreview(t.Context(), bomb, 16)
	refusedAs(t, err, "picture_too_large")
}

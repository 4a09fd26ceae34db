package comfy

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// sniffLength is how many bytes a format may look at to know itself.
const sniffLength = 64

// format is one file format that ComfyUI or its popular custom nodes write.
type format struct {
	extensions []string
	is         func(head []byte) bool
	whole      func(*source) Verdict
	metadata   func(*source, *tags) // nil: the format carries none that we read
}

// formats in the order in which they are tried; the ones without a real magic number
// come last. Never written to.
var formats = []format{
	{[]string{".png", ".apng"}, starts(pngMagic), wholePNG, metadataPNG},
	{[]string{".webp"}, riff("WEBP"), wholeWebP, metadataWebP},
	{[]string{".wav"}, riff("WAVE"), wholeRIFF, nil},
	{[]string{".avi"}, riff("AVI "), wholeRIFF, nil},
	{[]string{".mp4", ".mov", ".m4a", ".m4v", ".avif", ".heic"}, isMP4, wholeMP4, metadataMP4},
	{[]string{".webm", ".mkv"}, starts("\x1a\x45\xdf\xa3"), wholeWebM, metadataWebM},
	{[]string{".flac"}, starts("fLaC"), wholeFLAC, metadataFLAC},
	{[]string{".opus", ".ogg", ".oga"}, starts("OggS"), wholeOgg, metadataOgg},
	{[]string{".glb"}, starts("glTF"), wholeGLB, metadataGLB},
	{[]string{".jpg", ".jpeg"}, starts("\xff\xd8\xff"), wholeJPEG, nil},
	{[]string{".gif"}, isGIF, wholeGIF, nil},
	{[]string{".mp3"}, isMP3, wholeMP3, metadataMP3},
	{[]string{".svg"}, isSVG, wholeSVG, metadataSVG},
	{[]string{".safetensors", ".latent", ".sft"}, isSafetensors, wholeSafetensors, metadataSafetensors},
}

func sniff(head []byte) *format {
	for i := range formats {
		if formats[i].is(head) {
			return &formats[i]
		}
	}
	return nil
}

func byExtension(name string) *format {
	ext := strings.ToLower(path.Ext(name))
	for i := range formats {
		if slices.Contains(formats[i].extensions, ext) {
			return &formats[i]
		}
	}
	return nil
}

func starts(magic string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

func riff(kind string) func([]byte) bool {
	return func(head []byte) bool {
		return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == kind
	}
}

func isMP4(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "ftyp" }

func isGIF(head []byte) bool {
	return bytes.HasPrefix(head, []byte("GIF87a")) || bytes.HasPrefix(head, []byte("GIF89a"))
}

// isMP3 takes an ID3 tag, or a frame header of MPEG layer III with a legal rate.
func isMP3(head []byte) bool {
	return bytes.HasPrefix(head, []byte("ID3")) || mp3Frame(head)
}

// isSVG takes a root element, or an XML prologue before one.
func isSVG(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(head, []byte("<svg")) || bytes.HasPrefix(head, []byte("<?xml")) ||
		bytes.HasPrefix(head, []byte("<!DOCTYPE svg"))
}

// isSafetensors takes a header length of at most 100 MB, the format's own limit,
// followed by the brace of its JSON.
func isSafetensors(head []byte) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= maxSafetensorsHeader
}

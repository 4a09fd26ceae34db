package comfy

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// SniffLength is how many bytes a format may look at to know itself.
const SniffLength = 64

// format is one file format that ComfyUI or its popular custom nodes write.
type format struct {
	extensions []string
	// is recognises the first bytes; nil for a format that only the extension tells.
	is       func(head []byte) bool
	whole    func(*source) Verdict
	metadata func(*source, *tags) // nil: the format carries none that we read
	text     bool                 // it may be empty
	oneWrite bool                 // see OneWrite
}

// formats in the order in which they are tried; the ones without a real magic number
// come last. Never written to.
var formats = []format{
	{extensions: []string{".png", ".apng"}, is: starts(pngMagic), whole: wholePNG, metadata: metadataPNG},
	{extensions: []string{".webp"}, is: riff("WEBP"), whole: wholeWebP, metadata: metadataWebP},
	{extensions: []string{".wav"}, is: riff("WAVE"), whole: wholeRIFF},
	{extensions: []string{".avi"}, is: riff("AVI "), whole: wholeRIFF},
	{extensions: []string{".mp4", ".mov", ".m4a", ".m4v", ".avif", ".heic"}, is: isMP4, whole: wholeMP4, metadata: metadataMP4},
	{extensions: []string{".webm", ".mkv"}, is: starts("\x1a\x45\xdf\xa3"), whole: wholeWebM, metadata: metadataWebM},
	{extensions: []string{".flac"}, is: starts("fLaC"), whole: wholeFLAC, metadata: metadataFLAC, oneWrite: true},
	{extensions: []string{".opus", ".ogg", ".oga"}, is: starts("OggS"), whole: wholeOgg, metadata: metadataOgg},
	{extensions: []string{".glb"}, is: starts("glTF"), whole: wholeGLB, metadata: metadataGLB},
	{extensions: []string{".exr"}, is: starts("\x76\x2f\x31\x01"), whole: wholeEXR, metadata: metadataEXR},
	{extensions: []string{".jpg", ".jpeg"}, is: starts("\xff\xd8\xff"), whole: wholeJPEG, metadata: metadataJPEG},
	{extensions: []string{".gif"}, is: isGIF, whole: wholeGIF},
	{extensions: []string{".tif", ".tiff"}, is: isTIFF, whole: wholeTIFF},
	{extensions: []string{".bmp"}, is: isBMP, whole: wholeBMP},
	{extensions: []string{".ply"}, is: starts("ply\n", "ply\r\n"), whole: wholePLY, oneWrite: true},
	{extensions: []string{".spz", ".gz"}, is: starts("\x1f\x8b\x08"), whole: wholeGzip},
	{extensions: []string{".usdz", ".zip", ".npz", ".pt", ".3mf"}, is: starts("PK\x03\x04"), whole: wholeZip},
	{extensions: []string{".fbx"}, is: starts(fbxMagic), whole: wholeFBX},
	{extensions: []string{".mp3"}, is: isMP3, whole: wholeMP3, metadata: metadataMP3, oneWrite: true},
	{extensions: []string{".svg"}, is: isSVG, whole: wholeSVG, metadata: metadataSVG},
	{extensions: []string{".safetensors", ".latent", ".sft"}, is: isSafetensors, whole: wholeSafetensors, metadata: metadataSafetensors},
	{extensions: []string{".stl"}, whole: wholeSTL, oneWrite: true},
	{extensions: []string{".splat"}, whole: wholeSplat, oneWrite: true},
	{extensions: []string{".ksplat"}, whole: wholeKSplat},
	{extensions: []string{".json", ".gltf"}, whole: wholeJSON, text: true, oneWrite: true},
	{extensions: []string{".txt", ".csv", ".md", ".tsv", ".srt", ".vtt", ".yaml", ".yml", ".obj", ".mtl"}, whole: wholeText, text: true, oneWrite: true},
}

// Recognises reports that a file with these first bytes, SniffLength or all, is of a
// format with a mark of its own, and no text such as a prompt.
func Recognises(head []byte) bool { return sniff(head) != nil }

func sniff(head []byte) *format {
	for i := range formats {
		if formats[i].is != nil && formats[i].is(head) {
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

func starts(magics ...string) func([]byte) bool {
	return func(head []byte) bool {
		return slices.ContainsFunc(magics, func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) })
	}
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

func isTIFF(head []byte) bool {
	return starts("II*\x00", "MM\x00*", "II+\x00\x08\x00", "MM\x00+\x00\x08")(head)
}

// isBMP takes the two letters only before a known length of the second header.
func isBMP(head []byte) bool {
	return len(head) >= 18 && string(head[:2]) == "BM" && slices.Contains([]uint32{12, 40, 52, 56, 64, 108, 124}, binary.LittleEndian.Uint32(head[14:]))
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

package simulator

import (
	"bytes"
	_ "embed"
	"encoding/binary"
)

//go:embed fixtures/audio.flac
var fixtureFLAC []byte

//go:embed fixtures/audio.mp3
var fixtureMP3 []byte

//go:embed fixtures/audio.opus
var fixtureOpus []byte

const libavformat = "Lavf61.7.103"

// vorbisComment is the metadata block that FLAC and Opus share.
func vorbisComment(s scene) []byte {
	pairs := append(s.pairs(), entry{key: "encoder", json: libavformat})
	b := prefixed(nil, libavformat)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pairs)))
	for _, e := range pairs {
		b = prefixed(b, e.key+"="+e.json)
	}
	return b
}

func prefixed(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}

// encodeFLAC is SaveAudio's file: the recorded stream, an application block
// with the mark, then the comments.
func encodeFLAC(s scene) ([]byte, error) {
	const streamInfo = 4 + 4 + 34
	const application, comment, last = 2, 4, 0x80
	out := bytes.Clone(fixtureFLAC[:streamInfo])
	out = append(out, flacBlock(application, append([]byte("qmSM"), s.markText()...))...)
	out = append(out, flacBlock(comment|last, vorbisComment(s))...)
	return append(out, flacFrames(fixtureFLAC[streamInfo:])...), nil
}

func flacBlock(kind byte, body []byte) []byte {
	n := len(body)
	return append([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// flacFrames skips the metadata blocks.
func flacFrames(b []byte) []byte {
	for {
		last := b[0]&0x80 != 0
		b = b[4+(int(b[1])<<16|int(b[2])<<8|int(b[3])):]
		if last {
			return b
		}
	}
}

// encodeMP3 is SaveAudioMP3's file: an ID3v2.4 tag, then the recorded frames.
func encodeMP3(s scene) ([]byte, error) {
	var frames []byte
	for _, e := range s.pairs() {
		frames = append(frames, id3Frame("TXXX", "\x03"+e.key+"\x00"+e.json+"\x00")...)
	}
	frames = append(frames, id3Frame("TSSE", "\x03"+libavformat+"\x00")...)
	frames = append(frames, id3Frame("PRIV", "qmtui simulator\x00"+s.markText())...)
	out := append([]byte("ID3\x04\x00\x00"), syncSafe(len(frames))...)
	return append(append(out, frames...), fixtureMP3[10+fromSyncSafe(fixtureMP3[6:10]):]...), nil
}

func id3Frame(kind, body string) []byte {
	b := append([]byte(kind), syncSafe(len(body))...)
	return append(append(b, 0, 0), body...)
}

// syncSafe is ID3's four bytes of seven bits.
func syncSafe(n int) []byte {
	return []byte{byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}
}

func fromSyncSafe(b []byte) int {
	return int(b[0])<<21 | int(b[1])<<14 | int(b[2])<<7 | int(b[3])
}

// encodeOpus is SaveAudioOpus's file: head, comments, then the recorded
// pages, all under a stream serial of its own.
func encodeOpus(s scene) ([]byte, error) {
	pages := oggPages(fixtureOpus)
	serial := uint32(s.mark)
	out := pages[0].bytes(serial, 0)
	sequence := uint32(1)
	for _, p := range packetPages(append([]byte("OpusTags"), vorbisComment(s)...)) {
		out = append(out, p.bytes(serial, sequence)...)
		sequence++
	}
	for _, p := range pages[2:] {
		out = append(out, p.bytes(serial, sequence)...)
		sequence++
	}
	return out, nil
}

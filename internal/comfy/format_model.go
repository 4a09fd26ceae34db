package comfy

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
)

// Bounds of JSON that describes a file. The format itself allows a header of
// maxSafetensorsHeader bytes; a longer one than maxMetadata is not read.
const (
	maxSafetensorsHeader = 100_000_000
	maxKeys              = 1 << 16 // of one object
)

// wholeSafetensors wants 8 bytes, the header, and data up to the largest offset.
func wholeSafetensors(s *source) Verdict {
	n, dec := safetensorsHeader(s)
	switch {
	case n > maxMetadata:
		return Unknown
	case dec == nil:
		return Partial
	}
	var largest int64
	err := eachKey(dec, func(key string) error {
		var tensor struct {
			Offsets [2]int64 `json:"data_offsets"`
		}
		if key == "__metadata__" {
			return skipValue(dec)
		}
		err := dec.Decode(&tensor)
		largest = max(largest, tensor.Offsets[1])
		return err
	})
	switch {
	case errors.Is(err, errManyKeys):
		return Unknown
	case err == nil && largest <= s.size && 8+n+largest == s.size:
		return Complete
	}
	return Partial
}

// safetensorsHeader returns the header's length and a decoder over it; no decoder when
// the file is shorter than that, or when it is longer than maxMetadata.
func safetensorsHeader(s *source) (int64, *json.Decoder) {
	head := s.bytes(0, 8)
	if head == nil {
		return 0, nil
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxSafetensorsHeader || int64(n) > s.size-8 {
		return 0, nil
	}
	if n > maxMetadata {
		return int64(n), nil
	}
	return int64(n), json.NewDecoder(s.stream(8, int64(n)))
}

// errManyKeys ends the walk over an object of more than maxKeys.
var errManyKeys = errors.New("too many keys")

// eachKey calls value for each key of the object that follows; value consumes its value.
func eachKey(dec *json.Decoder, value func(key string) error) error {
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errNotJSON
	}
	for n := 0; dec.More(); n++ {
		if n == maxKeys {
			return errManyKeys
		}
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errNotJSON
		}
		if err := value(name); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func skipValue(dec *json.Decoder) error {
	var skipped json.RawMessage
	return dec.Decode(&skipped)
}

func metadataSafetensors(s *source, t *tags) {
	_, dec := safetensorsHeader(s)
	if dec == nil {
		return
	}
	// An error leaves what was read before it.
	_ = eachKey(dec, func(key string) error {
		if key != "__metadata__" {
			return skipValue(dec)
		}
		return t.addObject(dec)
	})
}

// addObject adds each key of the JSON object that follows. Texts hold JSON already;
// any other value is taken as it stands.
func (t *tags) addObject(dec *json.Decoder) error {
	return eachKey(dec, func(key string) error {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		t.add(key, plainText(value))
		return nil
	})
}

func plainText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// wholeGLB wants the length in the header to be the file's, and chunks that sum up to it.
// The first version of the format had other chunks.
func wholeGLB(s *source) Verdict {
	head := s.bytes(0, 12)
	if head == nil || int64(binary.LittleEndian.Uint32(head[8:])) != s.size {
		return Partial
	}
	if binary.LittleEndian.Uint32(head[4:]) == 1 {
		return Complete
	}
	off, first := int64(12), ""
	for off < s.size {
		chunk := s.bytes(off, 8)
		if chunk == nil || !s.part() {
			return Partial
		}
		if first == "" {
			first = string(chunk[4:])
		}
		off += 8 + int64(binary.LittleEndian.Uint32(chunk))
	}
	if brace := s.bytes(20, 1); first == "JSON" && off == s.size && brace != nil && brace[0] == '{' {
		return Complete
	}
	return Partial
}

// metadataGLB reads asset.extras of the JSON chunk, which comes first.
func metadataGLB(s *source, t *tags) {
	head := s.bytes(12, 8)
	if head == nil || string(head[4:]) != "JSON" {
		return
	}
	n := min(int64(binary.LittleEndian.Uint32(head)), s.size-20, maxMetadata)
	dec := json.NewDecoder(io.Reader(s.stream(20, n)))
	_ = eachKey(dec, func(key string) error {
		if key != "asset" {
			return skipValue(dec)
		}
		return eachKey(dec, func(key string) error {
			if key != "extras" {
				return skipValue(dec)
			}
			return t.addObject(dec)
		})
	})
}

package comfy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
)

// maxPLYHeader bounds the header of a PLY in bytes; a splat has 62 properties.
const maxPLYHeader = 64 << 10

// plyElement is one element of a PLY header: count rows of these properties.
type plyElement struct {
	count      int64
	properties []plyProperty
}

// plyProperty has a size in bytes, and a list the size of its count before it.
type plyProperty struct{ count, size int64 }

var plySizes = map[string]int64{
	"char": 1, "uchar": 1, "int8": 1, "uint8": 1, "short": 2, "ushort": 2, "int16": 2, "uint16": 2,
	"int": 4, "uint": 4, "int32": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}

// wholePLY wants the rows that the header promises, and nothing after them. The last
// line of a text may lack its end, so that it has to settle then.
func wholePLY(s *source) Verdict {
	head := s.upTo(0, maxPLYHeader)
	body, format, elements, ok := plyHeader(head)
	if !ok {
		if len(head) < maxPLYHeader {
			return Partial
		}
		return Unknown
	}
	in := s.stream(body, s.size-body)
	var rest int64
	switch format {
	case "ascii":
		rest, ok = plyLines(in, s.size-body, elements)
	case "binary_little_endian":
		rest, ok = plyRows(s, in, s.size-body, elements, binary.LittleEndian)
	case "binary_big_endian":
		rest, ok = plyRows(s, in, s.size-body, elements, binary.BigEndian)
	default:
		return Unknown
	}
	switch {
	case !ok:
		return Partial
	case rest != 0:
		return Settling
	}
	return Complete
}

// plyHeader reads the header, of which the rest of the file begins at body; false when
// it is cut or says what the format has not.
func plyHeader(b []byte) (body int64, format string, elements []plyElement, ok bool) {
	for {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		if !found {
			return 0, "", nil, false
		}
		body += int64(len(line)) + 1
		b = rest
		words := strings.Fields(string(line))
		switch {
		case len(words) == 0:
		case words[0] == "end_header":
			return body, format, elements, true
		case words[0] == "format" && len(words) > 1:
			format = words[1]
		case words[0] == "element" && len(words) == 3:
			n, err := strconv.ParseInt(words[2], 10, 64)
			if err != nil || n < 0 {
				return 0, "", nil, false
			}
			elements = append(elements, plyElement{count: n})
		case words[0] == "property":
			p, valid := plyPropertyOf(words[1:])
			if !valid || len(elements) == 0 {
				return 0, "", nil, false
			}
			last := &elements[len(elements)-1]
			last.properties = append(last.properties, p)
		}
	}
}

func plyPropertyOf(words []string) (plyProperty, bool) {
	if len(words) == 4 && words[0] == "list" {
		p := plyProperty{plySizes[words[1]], plySizes[words[2]]}
		return p, p.count > 0 && p.size > 0
	}
	if len(words) != 2 {
		return plyProperty{}, false
	}
	p := plyProperty{0, plySizes[words[0]]}
	return p, p.size > 0
}

// plyLines counts the lines of a text; rest is 0 when they are as many as promised and
// the last one has ended.
func plyLines(in *bufio.Reader, size int64, elements []plyElement) (rest int64, ok bool) {
	var want int64
	for _, e := range elements {
		if want += e.count; want > size {
			return 0, false
		}
	}
	var got int64
	last := byte('\n')
	for {
		_, err := in.Peek(1)
		b, _ := in.Peek(in.Buffered())
		switch {
		case err == nil:
			got += int64(bytes.Count(b, []byte{'\n'}))
			size -= int64(len(b))
			last = b[len(b)-1]
			_, _ = in.Discard(len(b)) // they are there
		case last != '\n':
			return 1, size == 0 && got+1 >= want
		default:
			return got - want, size == 0 && got >= want
		}
	}
}

// plyRows skips the rows of a binary file of size bytes; rest is what follows them.
// Rows without lists are skipped at once, others take at least a byte each.
func plyRows(s *source, in *bufio.Reader, size int64, elements []plyElement, order binary.ByteOrder) (rest int64, ok bool) {
	for _, e := range elements {
		fixed, lists := int64(0), 0
		for _, p := range e.properties {
			fixed += p.size
			if p.count > 0 {
				lists++
			}
		}
		if lists == 0 {
			if fixed > 0 && e.count > size/fixed {
				return 0, false
			}
			if size -= e.count * fixed; !skipBytes(in, e.count*fixed) {
				return 0, false
			}
			continue
		}
		for range e.count {
			n, ok := plyRow(in, e.properties, order, size)
			if !ok || !s.step(2*len(e.properties)) {
				return 0, false
			}
			size -= n
		}
	}
	return size, true
}

// plyRow skips one row with lists and says how long it was.
func plyRow(in *bufio.Reader, properties []plyProperty, order binary.ByteOrder, size int64) (n int64, ok bool) {
	for _, p := range properties {
		bytes := p.size
		if p.count > 0 {
			b, err := in.Peek(int(p.count))
			if err != nil {
				return 0, false
			}
			switch p.count {
			case 1:
				bytes *= int64(b[0])
			case 2:
				bytes *= int64(order.Uint16(b))
			case 4:
				bytes *= int64(order.Uint32(b))
			default:
				return 0, false // no count is a double
			}
			bytes += p.count
		}
		if n += bytes; n > size || !skipBytes(in, bytes) {
			return 0, false
		}
	}
	return n, true
}

func skipBytes(in *bufio.Reader, n int64) bool {
	for n > 0 {
		got, err := in.Discard(int(min(n, 1<<30)))
		if n -= int64(got); err != nil {
			return false
		}
	}
	return true
}

// Bounds of what is unpacked of a file to judge it, in bytes: some 15 million splats,
// and no more than so many times the file, which real data never reach.
const (
	maxUnpacked = 256 << 20
	maxRatio    = 16
)

// wholeGzip wants members with their checksums up to the end of the file, as SPZ has one.
func wholeGzip(s *source) Verdict {
	in, err := gzip.NewReader(s.stream(0, s.size))
	if err != nil {
		return Partial
	}
	most := min(maxUnpacked, 1<<20+maxRatio*s.size)
	n, err := io.Copy(io.Discard, io.LimitReader(in, most+1))
	switch {
	case n > most:
		return Unknown
	case err != nil:
		return Partial
	}
	return Complete
}

// wholeZip wants the central directory and its end record at the end of the file, where
// they are written last. USDZ is a zip without compression.
func wholeZip(s *source) Verdict {
	const record, most = 22, 22 + 1<<16 - 1 // a comment may follow
	tail := s.upTo(max(0, s.size-most), most)
	for at := len(tail) - record; at >= 0; at-- {
		b := tail[at:]
		if string(b[:4]) != "PK\x05\x06" || len(b) != record+int(binary.LittleEndian.Uint16(b[20:])) {
			continue
		}
		size, start := int64(binary.LittleEndian.Uint32(b[12:])), int64(binary.LittleEndian.Uint32(b[16:]))
		end := s.size - int64(len(b))
		if string(s.bytes(end-20, 4)) == "PK\x06\x07" { // PyTorch writes both in any case
			return wholeZip64(s, end)
		}
		if first := s.bytes(start, 4); start+size == end && (size == 0 || string(first) == "PK\x01\x02") {
			return Complete
		}
	}
	return Partial
}

// wholeZip64 follows the locator before the end record to the one of large files.
func wholeZip64(s *source, end int64) Verdict {
	locator := s.bytes(end-20, 20)
	if locator == nil {
		return Partial
	}
	at := int64(binary.LittleEndian.Uint64(locator[8:]))
	record := s.bytes(at, 56)
	if record == nil || string(record[:4]) != "PK\x06\x06" {
		return Partial
	}
	size, start := binary.LittleEndian.Uint64(record[40:]), binary.LittleEndian.Uint64(record[48:])
	if size <= uint64(s.size) && start <= uint64(s.size) && size+start == uint64(at) {
		return Complete
	}
	return Partial
}

// wholeSTL counts the triangles of a binary file, of 50 bytes each after a header of 84,
// and wants the last line of a text to close its solid. Both may begin with the word.
func wholeSTL(s *source) Verdict {
	head := s.upTo(0, 84)
	want := int64(-1)
	if len(head) == 84 {
		want = 84 + 50*int64(binary.LittleEndian.Uint32(head[80:]))
	}
	if want == s.size {
		return Complete
	}
	if !bytes.HasPrefix(head, []byte("solid")) {
		if want <= 84 || want > s.size { // some writers count at the end
			return Partial
		}
		return Settling
	}
	name, _, _ := bytes.Cut(s.upTo(0, 1024), []byte("\n"))
	tail := bytes.TrimRight(s.upTo(max(0, s.size-2048), 2048), "\r\n\t ")
	last := tail[bytes.LastIndexByte(tail, '\n')+1:]
	closing := bytes.Fields(last)
	switch {
	case len(closing) == 0 || string(closing[0]) != "endsolid":
		return Partial
	case bytes.Equal(bytes.TrimSpace(last[len("endsolid"):]), bytes.TrimSpace(name[len("solid"):])):
		return Complete
	}
	return Settling
}

// wholeSplat knows only that records have 32 bytes.
func wholeSplat(s *source) Verdict {
	if s.size%32 != 0 {
		return Partial
	}
	return Settling
}

// wholeKSplat adds up the sections that the header promises (nodes_gaussian_splat.py,
// ComfyUI 0.33.0): records by compression and harmonics, and buckets before them.
func wholeKSplat(s *source) Verdict {
	const header, section = 4096, 1024
	head := s.bytes(0, header)
	if head == nil {
		return Partial
	}
	sections, level := int64(binary.LittleEndian.Uint32(head[4:])), binary.LittleEndian.Uint16(head[20:])
	switch {
	case sections == 0:
		return Partial
	case head[0] != 0 || level > 2 || sections > 1<<12:
		return Unknown
	}
	record, harmonic := []int64{44, 24, 24}[level], []int64{4, 2, 1}[level]
	want := header + sections*section
	for i := range sections {
		b := s.bytes(header+i*section, 64)
		if b == nil {
			return Partial
		}
		number := func(at int) int64 { return int64(binary.LittleEndian.Uint32(b[at:])) }
		size := record
		if degree := binary.LittleEndian.Uint16(b[40:]); degree <= 3 {
			size += harmonic * []int64{0, 9, 24, 45}[degree]
		}
		want += number(36)*4 + int64(binary.LittleEndian.Uint16(b[20:]))*number(12) + size*number(4)
	}
	switch {
	case want > s.size:
		return Partial
	case want < s.size:
		return Settling
	}
	return Complete
}

const fbxMagic = "Kaydara FBX Binary  \x00"

// wholeFBX wants the mark that the SDK puts at the end; other writers may leave it out.
func wholeFBX(s *source) Verdict {
	const mark = "\xf8\x5a\x8c\x6a\xde\xf5\xd9\x7e\xec\xe9\x0c\xe3\x75\x8f\x29\x0b"
	if s.size > 64 && string(s.bytes(s.size-int64(len(mark)), len(mark))) == mark {
		return Complete
	}
	return Unknown
}

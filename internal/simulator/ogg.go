package simulator

import (
	"encoding/binary"
)

// oggPage is one page of an Ogg file.
type oggPage struct {
	flags    byte // 1 continued, 2 first, 4 last
	position uint64
	lacing   []byte
	body     []byte
}

// oggPages cuts a file into its pages.
func oggPages(b []byte) []oggPage {
	var pages []oggPage
	for len(b) >= 27 {
		segments := int(b[26])
		p := oggPage{flags: b[5], position: binary.LittleEndian.Uint64(b[6:]), lacing: b[27 : 27+segments]}
		n := 0
		for _, l := range p.lacing {
			n += int(l)
		}
		p.body = b[27+segments : 27+segments+n]
		pages = append(pages, p)
		b = b[27+segments+n:]
	}
	return pages
}

// packetPages spreads one packet over as many pages as it needs.
func packetPages(packet []byte) []oggPage {
	var pages []oggPage
	for first := true; ; first = false {
		p := oggPage{position: ^uint64(0)}
		if !first {
			p.flags = 1
		}
		n := min(len(packet), 255*255)
		whole := len(packet) < 255*255
		for range n / 255 {
			p.lacing = append(p.lacing, 255)
		}
		if whole {
			p.lacing = append(p.lacing, byte(n%255))
			p.position = 0
		}
		p.body, packet = packet[:n], packet[n:]
		pages = append(pages, p)
		if whole {
			return pages
		}
	}
}

func (p oggPage) bytes(serial, sequence uint32) []byte {
	b := append([]byte("OggS\x00"), p.flags)
	b = binary.LittleEndian.AppendUint64(b, p.position)
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(p.lacing)))
	b = append(append(b, p.lacing...), p.body...)
	binary.LittleEndian.PutUint32(b[22:], oggSum(b))
	return b
}

// oggSum is Ogg's CRC: polynomial 0x04c11db7, neither reflected nor inverted.
func oggSum(b []byte) uint32 {
	var crc uint32
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

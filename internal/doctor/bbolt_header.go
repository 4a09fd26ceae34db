package doctor

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file (bbolt 1.5.0, internal/common: page.go, meta.go),
// little-endian as on every machine this runs on.
const (
	boltMagic    = 0xED0CDAED
	boltHeader   = 16 // bytes of a page before its content
	boltMeta     = 64 // bytes of a meta page's content, the last 8 of them its checksum
	boltFreelist = 0x10
	boltNoList   = 1<<64 - 1 // the free list is not kept in the file
	boltManyFree = 0xFFFF    // the count stands before the list
)

type boltMetaPage struct{ pageSize, freelist, pages, txid uint64 }

// freeBytes reads from a database file, without opening it as one, how many
// bytes of it hold nothing: -1 when that cannot be told, as when a commit is
// under way. The error says why it is no bbolt database at all.
func freeBytes(f io.ReaderAt) (int64, error) {
	m, err := newestMeta(f)
	if err != nil {
		return -1, err
	}
	if m.freelist == boltNoList || m.freelist >= m.pages || m.freelist > 1<<40 {
		return -1, nil
	}
	head := make([]byte, boltHeader+8)
	if _, err := f.ReadAt(head, int64(m.freelist*m.pageSize)); err != nil {
		return -1, nil
	}
	if binary.LittleEndian.Uint16(head[8:]) != boltFreelist {
		return -1, nil // overwritten meanwhile
	}
	n := uint64(binary.LittleEndian.Uint16(head[10:]))
	if n == boltManyFree {
		n = binary.LittleEndian.Uint64(head[boltHeader:])
	}
	if n > m.pages {
		return -1, nil
	}
	return int64(n * m.pageSize), nil
}

// newestMeta is the sound one of the two meta pages with the higher transaction.
func newestMeta(f io.ReaderAt) (boltMetaPage, error) {
	best, ok := readMeta(f, 0)
	sizes := []uint64{4096, 16384, 65536, 8192}
	if ok {
		sizes = []uint64{best.pageSize}
	}
	for _, size := range sizes {
		if m, sound := readMeta(f, int64(size)); sound && (!ok || m.txid > best.txid) {
			best, ok = m, true
		}
	}
	if !ok {
		return best, errors.New("neither of its two headers is that of a database")
	}
	return best, nil
}

func readMeta(f io.ReaderAt, at int64) (boltMetaPage, bool) {
	b := make([]byte, boltHeader+boltMeta)
	if _, err := f.ReadAt(b, at); err != nil {
		return boltMetaPage{}, false
	}
	b = b[boltHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:boltMeta-8])
	m := boltMetaPage{pageSize: uint64(binary.LittleEndian.Uint32(b[8:])), freelist: binary.LittleEndian.Uint64(b[32:]),
		pages: binary.LittleEndian.Uint64(b[40:]), txid: binary.LittleEndian.Uint64(b[48:])}
	sound := binary.LittleEndian.Uint32(b) == boltMagic && sum.Sum64() == binary.LittleEndian.Uint64(b[boltMeta-8:])
	return m, sound && m.pageSize >= 512 && m.pageSize <= 1<<20
}

package simulator

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
)

// The files that a File3D may hold. None of them carries metadata.

// encodePLY is three points.
func encodePLY(s scene) ([]byte, error) {
	head := "ply\nformat binary_little_endian 1.0\ncomment " + s.markText() +
		"\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
	return append([]byte(head), noise(s.mark, 9)...), nil
}

// encodeSplat is eight splats of 32 bytes.
func encodeSplat(s scene) ([]byte, error) { return noise(s.mark, 64), nil }

// encodeSPZ is eight splats of the packed format, version 2, in gzip.
func encodeSPZ(s scene) ([]byte, error) {
	const points, each = 8, 19
	raw := binary.LittleEndian.AppendUint32([]byte("NGSP\x02\x00\x00\x00"), points)
	raw = append(raw, 0, 12, 0, 0)
	raw = append(raw, noise(s.mark, points*each/4+1)[:points*each]...)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// encodeSTL is one triangle.
func encodeSTL(s scene) ([]byte, error) {
	out := append(make([]byte, 0, 134), fmt.Sprintf("%-80s", "simulated "+s.markText())...)
	out = binary.LittleEndian.AppendUint32(out, 1)
	return append(append(out, noise(s.mark, 12)...), 0, 0), nil
}

// encodeUSDZ is one scene, stored.
func encodeUSDZ(s scene) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "model.usda", Method: zip.Store})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(w, "#usda 1.0\n# %s\ndef Mesh \"mesh\" {}\n", s.markText()); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

func encodeOBJ(s scene) ([]byte, error) {
	return fmt.Appendf(nil, "# %s\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", s.markText()), nil
}

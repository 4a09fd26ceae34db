package face

import (
	"cmp"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// SystemStats is the answer of GET /system_stats: what a worker said of
// itself when it was last asked. Of what nobody knows there is zero, and of
// unknown GPUs none.
func SystemStats(s job.System) map[string]any {
	devices := []fields{}
	for i, d := range s.Devices {
		kind, _, _ := strings.Cut(d.Name, ":") // "cuda:0 NVIDIA H200 : native", or "cpu"
		devices = append(devices, fields{"name": d.Name, "type": kind, "index": i, "vram_total": d.VRAMTotal, "vram_free": d.VRAMFree,
			"torch_vram_total": 0, "torch_vram_free": 0})
	}
	return fields{"devices": devices, "system": fields{
		"os": "posix", "ram_total": 0, "ram_free": 0, "comfyui_version": cmp.Or(s.Version, "unknown"), "required_frontend_version": nil,
		"installed_templates_version": nil, "required_templates_version": nil, "python_version": cmp.Or(s.Python, "unknown"),
		"pytorch_version": "unknown", "embedded_python": false, "argv": []string{}}}
}

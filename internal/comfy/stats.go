package comfy

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// SystemStats is what one replica says of itself. Sizes are in bytes.
type SystemStats struct {
	OS, Version, Python, PyTorch string
	RAMTotal, RAMFree            int64
	// Argv is the command line of ComfyUI, its script first; empty when old.
	Argv    []string
	Devices []Device
}

// Device is one GPU, or the CPU. Without a GPU its memory is the machine's.
type Device struct {
	Name, Type          string
	VRAMTotal, VRAMFree int64
}

// SystemStats asks one replica. Behind a balancer the request can wake a sleeping
// deployment, which costs money.
func (c *Client) SystemStats(ctx context.Context) (SystemStats, error) {
	var wire struct {
		System struct {
			OS       string   `json:"os"`
			Version  string   `json:"comfyui_version"`
			Python   string   `json:"python_version"`
			PyTorch  string   `json:"pytorch_version"`
			RAMTotal float64  `json:"ram_total"`
			RAMFree  float64  `json:"ram_free"`
			Argv     []string `json:"argv"`
		} `json:"system"`
		Devices []struct {
			Name  string  `json:"name"`
			Type  string  `json:"type"`
			Total float64 `json:"vram_total"`
			Free  float64 `json:"vram_free"`
		} `json:"devices"`
	}
	if err := c.get(ctx, "/system_stats", smallBody, &wire); err != nil {
		return SystemStats{}, fmt.Errorf("read system stats: %w", err)
	}
	s := wire.System
	stats := SystemStats{
		OS: s.OS, Version: s.Version, Python: s.Python, PyTorch: s.PyTorch,
		RAMTotal: int64(s.RAMTotal), RAMFree: int64(s.RAMFree), Argv: s.Argv,
	}
	for _, d := range wire.Devices {
		stats.Devices = append(stats.Devices, Device{d.Name, d.Type, int64(d.Total), int64(d.Free)})
	}
	return stats, nil
}

// OutputDirectory is the value of --output-directory, the last one if there are several.
// False means that ComfyUI writes inside its own container, where results vanish with it.
func (s SystemStats) OutputDirectory() (string, bool) { return s.flag("--output-directory") }

// OutputFolder is the absolute path of the output folder, as far as the command
// line tells it; "" when it does not.
func (s SystemStats) OutputFolder() string {
	dir, ok := s.OutputDirectory()
	if base, given := s.flag("--base-directory"); !ok && given {
		dir = base + "/output"
	}
	if !strings.HasPrefix(dir, "/") {
		return ""
	}
	return path.Clean(dir)
}

func (s SystemStats) flag(name string) (value string, found bool) {
	for i, arg := range s.Argv {
		if v, ok := strings.CutPrefix(arg, name+"="); ok {
			value, found = v, true
		} else if arg == name && i+1 < len(s.Argv) {
			value, found = s.Argv[i+1], true
		}
	}
	return value, found
}

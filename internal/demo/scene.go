package demo

import (
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/simulator"
)

// Scene is a simulated workshop on this machine: its folders, its fleet and a
// manager's configuration that fits both.
type Scene struct {
	Dir       string // holds share, users and state
	Replicas  int
	ColdStart time.Duration
	Faults    simulator.Faults
	Balance   simulator.Balance // empty means random
	Seed      uint64
	MaxQueued int // of one user
}

// Deployment is the name of the scene's only deployment.
const Deployment = "h200-spot"

// ModernDeployment answers as ComfyUI 0.33. It is there when the scene's users
// save with custom nodes.
const ModernDeployment = "h200-modern"

// Key is the inference key that the simulated platform asks for.
const Key = "demo-key"

// Share, Users and State are the scene's folders.
func (s Scene) Share() string { return filepath.Join(s.Dir, "share") }

// Users is the folder with a folder for each user.
func (s Scene) Users() string { return filepath.Join(s.Dir, "users") }

// State is the manager's own folder.
func (s Scene) State() string { return filepath.Join(s.Dir, "state") }

// Inputs is the workers' input folder.
func (s Scene) Inputs() string { return filepath.Join(s.Dir, "inputs") }

// Uploads is the folder with a folder of input files for each user.
func (s Scene) Uploads() string { return filepath.Join(s.Dir, "uploads") }

// Make makes the folders, and for who has no picture of their own the site's,
// which the image-to-image example loads.
func (s Scene) Make() error {
	for _, dir := range []string{s.Share(), s.Users(), s.State(), s.Inputs(), s.Uploads()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return storyboard(filepath.Join(s.Inputs(), "storyboard_012.jpg"))
}

// storyboard draws a small picture to start from.
func storyboard(path string) error {
	img := image.NewGray(image.Rect(0, 0, 256, 144))
	for i := range img.Pix {
		x, y := i%256, i/256
		img.Pix[i] = uint8(200 - y + x/8%2*20)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(jpeg.Encode(f, img, nil), f.Close())
}

// Fleet is the configuration of the simulated fleet. It scales down late
// enough that most renders live, and soon enough that some do not.
func (s Scene) Fleet() simulator.Config {
	one := simulator.Deployment{Name: Deployment, Replicas: s.Replicas, ColdStart: s.ColdStart, ScaleDown: 20 * s.ColdStart, Key: Key}
	deployments := []simulator.Deployment{one}
	if s.Faults.Savers > 0 {
		one.Name, one.Version = ModernDeployment, simulator.V33
		deployments = append(deployments, one)
	}
	return simulator.Config{
		Deployments: deployments,
		Outputs:     s.Share(), Inputs: s.Inputs(), Faults: s.Faults, Seed: s.Seed, Balance: s.Balance,
		Journal: filepath.Join(s.Dir, "written.jsonl"),
	}
}

// Config is a manager's configuration for the fleet at url, with every wait
// shortened to the scene's scale: seconds instead of minutes.
func (s Scene) Config(url string) config.Config {
	c := config.Default()
	c.Server.Listen = ""
	c.Server.Socket = filepath.Join(s.State(), "qmtui.sock")
	c.State.Dir = s.State()
	c.Share.Outputs, c.Users.Outputs = s.Share(), s.Users()
	c.Share.Inputs, c.Users.Inputs = s.Inputs(), s.Uploads()
	c.Share.Poll, c.Share.Sweep = config.Duration(200*time.Millisecond), config.Duration(2*time.Second)
	c.Share.FreeReserve = 0
	c.Users.MaxQueued = max(c.Users.MaxQueued, s.MaxQueued)
	c.Queue.MaxDepth = 100_000
	c.Queue.Settle = config.Duration(300 * time.Millisecond)
	c.Queue.AcceptTimeout = config.Duration(30*time.Second + 10*s.ColdStart)
	c.Queue.DoubtTimeout = config.Duration(5*time.Second + s.ColdStart)
	c.Queue.EvidenceTimeout = config.Duration(6*time.Second + s.ColdStart)
	c.Queue.RunTimeout = config.Duration(6 * time.Second)
	c.Queue.LateWindow = config.Duration(10 * time.Second)
	c.Queue.Retries = 5
	for _, f := range s.Fleet().Deployments {
		d := config.NewDeployment(f.Name)
		d.URL, d.Capacity, d.Active, d.PricePerHour = url+"/"+f.Name, s.Replicas, f.Name == Deployment, 0.97
		d.Key = Key
		d.Keepalive = config.Duration(300 * time.Millisecond)
		c.Deployments = append(c.Deployments, d)
	}
	return c
}

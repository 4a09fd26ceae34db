package main

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/doctor"
	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/fleet"
	"github.com/comfyume/qmtui/internal/engine/share"
	"github.com/comfyume/qmtui/internal/limit"
	"github.com/comfyume/qmtui/internal/metrics"
	"github.com/comfyume/qmtui/internal/server"
	"github.com/comfyume/qmtui/internal/sshd"
	"github.com/comfyume/qmtui/internal/store"
)

// The rooms fit the ports of the engine and of the server.
var (
	_ engine.Ledger  = (*store.Store)(nil)
	_ engine.Share   = (*share.Share)(nil)
	_ engine.Fleet   = (*fleet.Fleet)(nil)
	_ engine.Inputs  = (*share.Share)(nil)
	_ server.Service = (*engine.Engine)(nil)
	_ fleet.Memory   = (*store.Store)(nil)
)

// databaseFile is the ledger's name in the state folder.
const databaseFile = "qmtui.db"

// manager is the engine, its ports and the server, joined.
type manager struct {
	ledger    *store.Store
	engine    *engine.Engine
	server    *server.Server
	ssh       *sshd.Server // nil unless the configuration asks for it
	metrics   *metrics.Metrics
	retention time.Duration
	perUser   int64           // bytes that the ended jobs of a user may take in the ledger; zero: no bound
	log       *slog.Logger    // with the tail
	tail      *server.LogTail // what the server tells of the log
	doctor    *doctor.Resident
}

// newManager joins the rooms as the configuration says. It opens the ledger
// and the listeners, so that trouble shows before anything runs.
func newManager(cfg config.Config, log *slog.Logger) (*manager, error) {
	dir, err := cfg.StateDir(nil)
	if err != nil {
		return nil, err
	}
	if err := refuseForeignState(dir); err != nil {
		return nil, err
	}
	log, tail := server.Tailed(log)
	ledger, err := store.Open(store.Options{Path: filepath.Join(dir, databaseFile)})
	if err != nil {
		return nil, err
	}
	m := &manager{ledger: ledger, retention: time.Duration(cfg.Retention.Jobs), perUser: cfg.Limits.LedgerBytes.Int64(), log: log, tail: tail}
	measured := metricsOptions(cfg, ledger, log)
	measured.Limits = m.limitUses
	m.metrics = metrics.New(measured)
	if err := m.join(cfg); err != nil {
		_ = ledger.Close()
		return nil, err
	}
	return m, nil
}

func (m *manager) join(cfg config.Config) error {
	disks, err := share.New(shareOptions(cfg, m.ledger, m.log))
	if err != nil {
		return err
	}
	tend, err := rules(cfg)
	if err != nil {
		return err
	}
	gpus, err := fleet.New(fleetOptions(cfg, meteredMemory{m.ledger, m.metrics}, m.ledger, tend.Calendar.Zone, m.log))
	if err != nil {
		return err
	}
	var inputs engine.Inputs
	if disks.Carries() {
		inputs = meteredInputs{disks, m.metrics}
	}
	m.engine = engine.New(engine.Options{Ledger: m.ledger, Inputs: inputs, Share: meteredShare{disks, m.metrics}, Fleet: gpus, Policy: policy(cfg), Active: activeName(cfg), Idle: activeName(cfg) == "",
		Rules: tend, Audit: m.ledger.Audit, Log: m.log})
	deeds := audited{m.engine, m.ledger.Audit, m.log}
	options, err := serverOptions(cfg, deeds, m.log)
	if err != nil {
		return err
	}
	if m.doctor, err = residentDoctor(cfg, options.Socket); err != nil {
		return err
	}
	options.Forget = forgetting{m.ledger, m.engine, disks, options.StateDir, cfg, deeds}.forget
	options.Backup, options.Audit, options.Log, options.Doctor = m.ledger.Backup, m.ledger.AuditTail, m.tail, auditedDoctor{m.doctor, deeds}
	if m.server, err = server.New(m.measured(options, cfg.Metrics.Readers)); err != nil {
		return err
	}
	if err := m.joinSSH(cfg); err != nil {
		return err
	}
	err = m.server.Listen()
	if err != nil && m.ssh != nil {
		_ = m.ssh.Close()
	}
	return err
}

// Run works until ctx ends, then stops in the order of the way of a job:
// first no more callers, then the engine, then the ledger.
func (m *manager) Run(ctx context.Context) error {
	defer func() { _ = m.ledger.Close() }()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	work, wctx := errgroup.WithContext(inner)
	work.Go(func() error { return m.engine.Run(wctx) })
	work.Go(func() error { m.prune(wctx); return nil })
	work.Go(func() error { return m.doctor.Run(wctx) })
	work.Go(func() error { return m.metrics.Run(wctx, m.engine) })
	front, fctx := errgroup.WithContext(ctx)
	front.Go(func() error { return m.server.Run(fctx) })
	if m.ssh != nil {
		front.Go(func() error { return m.ssh.Run(fctx) })
	}
	front.Go(func() error {
		select {
		case <-wctx.Done():
			return context.Cause(wctx)
		case <-fctx.Done():
			return nil
		}
	})
	err := front.Wait()
	stop()
	if werr := work.Wait(); werr != nil {
		return werr
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pruneEvery is how often ended jobs are looked at for retention, and
// pruneUsersEvery for what they take in the ledger.
const (
	pruneEvery      = time.Hour
	pruneUsersEvery = time.Minute
)

// prune forgets jobs that ended longer ago than retention says, and the oldest
// ended ones of users whose jobs take too much.
func (m *manager) prune(ctx context.Context) {
	forget := func(why string, n int, err error) {
		if err != nil && ctx.Err() == nil {
			m.log.Error("forget old jobs", "error", err)
		} else if n > 0 {
			m.log.Info("forgot old jobs", "jobs", n, "why", why)
		}
	}
	ticker := time.NewTicker(pruneUsersEvery)
	defer ticker.Stop()
	for last := (time.Time{}); ; {
		if now := time.Now(); m.retention > 0 && now.Sub(last) >= pruneEvery {
			last = now
			n, err := m.ledger.Prune(ctx, now.Add(-m.retention), 500)
			forget("retention.jobs", n, err)
		}
		if m.perUser > 0 {
			n, err := m.ledger.PruneUsers(ctx, m.perUser, 500)
			forget("limits.ledger_bytes", n, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func shareOptions(cfg config.Config, memory share.Memory, log *slog.Logger) share.Options {
	return share.Options{
		Inputs: cfg.Share.Inputs, UserInputs: cfg.Users.Inputs, Subfolder: cfg.Users.Subfolder, Outputs: cfg.Share.Outputs, Users: cfg.Users.Outputs, Aside: cfg.Users.Cancelled,
		Poll: time.Duration(cfg.Share.Poll), Watch: cfg.Share.Watch, MaxFolders: cfg.Share.MaxFolders,
		Sweep: time.Duration(cfg.Share.Sweep), Sentinel: cfg.Share.Sentinel, RequireMount: cfg.Share.RequireMount,
		Reserve: int64(cfg.Share.FreeReserve), FileMode: fs.FileMode(cfg.Users.FileMode), DirMode: fs.FileMode(cfg.Users.DirMode),
		MetadataRoot: !cfg.Tag.Prefix, Memory: memory, Logger: log,
	}
}

func fleetOptions(cfg config.Config, memory fleet.Memory, settings fleet.Settings, zone *time.Location, log *slog.Logger) fleet.Options {
	o := fleet.Options{Zone: zone, Inputs: cfg.CarriesInputs(), Tag: fleet.Tagging{Prefix: cfg.Tag.Prefix, Metadata: cfg.Tag.Metadata, Marker: cfg.Tag.Marker}, Memory: memory, Settings: settings, Logger: log,
		Control: fleet.Control{URL: cfg.Verda.APIURL, ClientID: cfg.Verda.ClientID, Secret: cfg.Verda.ClientSecret.Reveal()}}
	o.SavePreviews = cfg.Queue.Previews == "save"
	var rows []comfy.SaveNode
	for _, n := range cfg.SaveNodes {
		rows = append(rows, comfy.SaveNode{Class: n.Class, Folder: n.Folder, Prefix: n.Prefix, Path: n.Path, Name: n.Name,
			OffWhen: n.OffWhen, Metadata: n.Metadata, None: n.None, Kind: comfy.KindOther})
	}
	o.SaveNodes = comfy.NewSaveNodes(rows)
	for _, d := range cfg.Deployments {
		o.Deployments = append(o.Deployments, fleet.Spec{
			KeyNow: keyNow(d),
			Name:   d.Name, Driver: d.Driver, URL: d.URL, Key: d.Key.Reveal(), Capacity: d.Capacity, PricePerHour: d.PricePerHour,
			KeepAlive: time.Duration(d.Keepalive), ScaleToZero: d.ScaleToZero,
		})
	}
	return o
}

// keyNow gives the key of a deployment whose key_file may be replaced while the
// manager runs; nil where the key is from elsewhere.
func keyNow(d config.Deployment) func() string {
	f := config.NewSecretFile(d.KeyFile, d.Key)
	if f == nil {
		return nil
	}
	return func() string { return f.Now().Reveal() }
}

func policy(cfg config.Config) engine.Policy {
	retries := cfg.Queue.Retries
	if retries == 0 {
		retries = -1 // in the configuration zero means never
	}
	return engine.Policy{
		MaxDepth: cfg.Queue.MaxDepth, MaxQueued: cfg.Users.MaxQueued, MaxRunning: cfg.Users.MaxRunning, FIFO: cfg.Queue.Mode == "fifo",
		AcceptTimeout: time.Duration(cfg.Queue.AcceptTimeout), DoubtTimeout: time.Duration(cfg.Queue.DoubtTimeout),
		EvidenceTimeout: time.Duration(cfg.Queue.EvidenceTimeout), RunTimeout: time.Duration(cfg.Queue.RunTimeout),
		Settle: time.Duration(cfg.Queue.Settle), LateWindow: time.Duration(cfg.Queue.LateWindow), Retries: retries, Partial: cfg.Queue.Partial, SaveNodes: described(cfg),
		Copies: cfg.Users.Copies, CopiesPerUser: cfg.Users.CopiesPerUser, Untagged: !cfg.Tag.Prefix, KeepInputs: time.Duration(cfg.Retention.Inputs), Admins: cfg.Auth.Admins,
	}
}

// described are the node classes that the configuration describes.
func described(cfg config.Config) []string {
	var out []string
	for _, n := range cfg.SaveNodes {
		out = append(out, n.Class)
	}
	return out
}

// activeName is the active deployment; empty for none.
func activeName(cfg config.Config) string {
	for _, d := range cfg.Deployments {
		if d.Active {
			return d.Name
		}
	}
	return ""
}

// readOnlySocket is the path of the socket for looking, beside the other one;
// empty for none, also where it would be longer than a socket's path may be.
func readOnlySocket(socket string) string {
	const most = 103 // bytes, as of server.Options.Socket
	path := strings.TrimSuffix(socket, ".sock") + "-ro.sock"
	if socket == "" || len(path) > most {
		return ""
	}
	return path
}

func serverOptions(cfg config.Config, s server.Service, log *slog.Logger) (server.Options, error) {
	socket, err := cfg.SocketPath(nil)
	if err != nil {
		return server.Options{}, err
	}
	dir, err := cfg.StateDir(nil)
	if err != nil {
		return server.Options{}, err
	}
	return server.Options{
		Service: s, Version: version(), Listen: cfg.Server.Listen, Socket: socket, ReadOnlySocket: readOnlySocket(socket), PublicURL: cfg.Server.PublicURL,
		TrustedProxies: cfg.Server.Proxies(), UserHeader: cfg.TrustedHeader(), ProxySecret: cfg.Server.ProxySecret.Reveal(), Admins: cfg.Auth.Admins, RequireUser: cfg.RequiresLogin(),
		Passwords: cfg.Auth.Htpasswd, StateDir: dir, SessionKeyFile: cfg.Auth.SessionKeyFile, SessionTTL: time.Duration(cfg.Auth.SessionTTL),
		Subfolder: cfg.Users.Subfolder, Inputs: cfg.Users.Inputs, Limits: serverLimits(cfg.Limits), Disks: disks(cfg, dir), Logger: log,
	}, nil
}

// serverLimits are the limits of the configuration, where zero means none.
func serverLimits(l config.Limits) server.Limits {
	n := func(v int) int { return cmp.Or(v, -1) }
	b := func(v config.Bytes) int64 { return cmp.Or(v.Int64(), -1) }
	return server.Limits{Streams: n(l.Streams), Sockets: n(l.Sockets), Submits: n(l.Submits), PromptBytes: b(l.PromptBytes),
		Uploads: n(l.Uploads), UploadBytes: b(l.UploadBytes), InputFiles: n(l.InputFiles), InputBytes: b(l.InputBytes)}
}

// sameDisk reports two folders on one file system; false when that is not known.
func sameDisk(a, b string) bool {
	device := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(st.Dev), true
	}
	x, known := device(a)
	y, also := device(b)
	return known && also && x == y
}

// disks keep the reserve, each by its rank: uploads leave most, so that they
// stop no delivery, and the ledger goes furthest, so that nothing stops a submit
// as long as there is room.
func disks(cfg config.Config, state string) *limit.Disks {
	reserve := cfg.Share.FreeReserve.Int64()
	temp := "" // another disk does no harm when it is full
	if sameDisk(state, os.TempDir()) {
		temp = os.TempDir()
	}
	return limit.NewDisks(
		limit.Disk{Name: server.DiskTemp, Path: temp, Leave: reserve / 2},
		limit.Disk{Name: server.DiskState, Path: state, Leave: reserve / 4, Full: reserve},
		limit.Disk{Name: server.DiskInputs, Path: cfg.Users.Inputs, Leave: 2 * reserve, Full: reserve},
		limit.Disk{Name: server.DiskOutputs, Path: cfg.Users.Outputs, Full: reserve},
	)
}

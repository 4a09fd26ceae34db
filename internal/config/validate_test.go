package config

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// valid is a whole configuration of a site.
func valid() Config {
	cfg := Default()
	a, b := NewDeployment("h200-spot"), NewDeployment("b300")
	a.URL, a.Active = "https://containers.example.org/h200", true
	b.URL = "http://10.0.0.7:8188/comfy"
	cfg.Deployments = []Deployment{a, b}
	return cfg
}

func TestValidConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"site":              func(*Config) {},
		"default":           func(c *Config) { *c = Default() },
		"no TCP":            func(c *Config) { c.Server.Listen = "" },
		"everything off":    func(c *Config) { c.Share.Sweep, c.Retention.Jobs, c.Queue.Retries, c.Share.FreeReserve = 0, 0, 0, 0 },
		"folders in state":  func(c *Config) { c.State.Dir, c.Share.Outputs, c.Users.Outputs = "/s", "/s/share", "/s/users" },
		"names that begin":  func(c *Config) { c.Users.Outputs, c.Share.Outputs = "/data/out", "/data/outputs" },
		"dots in a name":    func(c *Config) { c.Users.Outputs, c.Share.Outputs = "/data", "/data..x" },
		"none active":       func(c *Config) { c.Deployments[0].Active = false },
		"IPv6":              func(c *Config) { c.Server.Listen = "[::1]:3000" },
		"subfolder of user": func(c *Config) { c.Users.Subfolder = "{user}" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			change(&cfg)
			if err := cfg.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInvalidConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*Config)
		code, key string
	}{
		"node says nothing":    {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", OffWhen: []string{"a = b"}}} }, CodeValue, "save_node[0].class"},
		"node, no class":       {func(c *Config) { c.SaveNodes = []SaveNode{{Folder: "f"}} }, CodeRequired, "save_node[0].class"},
		"node twice":           {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", Prefix: "p"}, {Class: "A", None: "shows"}} }, CodeValue, "save_node[1].class"},
		"node does both":       {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", Prefix: "p", None: "shows"}} }, CodeValue, "save_node[0].none"},
		"node, name alone":     {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", Prefix: "p", Name: "n"}} }, CodeValue, "save_node[0].name"},
		"node led by two":      {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", Prefix: "p", Folder: "f"}} }, CodeValue, "save_node[0].folder"},
		"node's condition":     {func(c *Config) { c.SaveNodes = []SaveNode{{Class: "A", Prefix: "p", OffWhen: []string{"never"}}} }, CodeValue, "save_node[0].off_when"},
		"previews":             {func(c *Config) { c.Queue.Previews = "show" }, CodeValue, "queue.previews"},
		"same folders":         {func(c *Config) { c.Users.Outputs = "/mnt/sfs/outputs/" }, CodeOverlap, "users.outputs"},
		"users in share":       {func(c *Config) { c.Users.Outputs = "/mnt/sfs/outputs/users" }, CodeOverlap, "users.outputs"},
		"share in users":       {func(c *Config) { c.Share.Outputs = "/outputs/share" }, CodeOverlap, "share.outputs"},
		"share by dots":        {func(c *Config) { c.Share.Outputs = "/x/../outputs" }, CodeOverlap, "users.outputs"},
		"same inputs":          {func(c *Config) { c.Share.Inputs, c.Users.Inputs = "/in", "/in" }, CodeOverlap, "users.inputs"},
		"inputs in outputs":    {func(c *Config) { c.Users.Inputs = "/outputs/in" }, CodeOverlap, "users.inputs"},
		"state in share":       {func(c *Config) { c.State.Dir = "/mnt/sfs/outputs/qm" }, CodeOverlap, "state.dir"},
		"relative share":       {func(c *Config) { c.Share.Outputs = "outputs" }, CodePath, "share.outputs"},
		"relative home":        {func(c *Config) { c.Users.Inputs = "~/in" }, CodePath, "users.inputs"},
		"root":                 {func(c *Config) { c.State.Dir = "/" }, CodePath, "state.dir"},
		"newline":              {func(c *Config) { c.Users.Outputs = "/a\nb" }, CodePath, "users.outputs"},
		"no share":             {func(c *Config) { c.Share.Outputs = "" }, CodeRequired, "share.outputs"},
		"sentinel outside":     {func(c *Config) { c.Share.Sentinel = "../x" }, CodePath, "share.sentinel"},
		"absolute sentinel":    {func(c *Config) { c.Share.Sentinel = "/x" }, CodePath, "share.sentinel"},
		"cancelled outside":    {func(c *Config) { c.Users.Cancelled = "a/b" }, CodePath, "users.cancelled"},
		"no cancelled":         {func(c *Config) { c.Users.Cancelled = "" }, CodeRequired, "users.cancelled"},
		"listen":               {func(c *Config) { c.Server.Listen = "3000" }, CodeAddress, "server.listen"},
		"port":                 {func(c *Config) { c.Server.Listen = ":70000" }, CodeAddress, "server.listen"},
		"long socket":          {func(c *Config) { c.Server.Socket = "/" + strings.Repeat("x", 103) }, CodeSocketPath, "server.socket"},
		"header":               {func(c *Config) { c.Server.UserHeader = "X User" }, CodeAddress, "server.user_header"},
		"network":              {func(c *Config) { c.Server.TrustedProxies = []string{"10.0.0.0/33"} }, CodeAddress, "server.trusted_proxies"},
		"host for network":     {func(c *Config) { c.Server.TrustedProxies = []string{"10.0.0.1"} }, CodeAddress, "server.trusted_proxies"},
		"public URL":           {func(c *Config) { c.Server.PublicURL = "example.org" }, CodeURL, "server.public_url"},
		"watch":                {func(c *Config) { c.Share.Watch = "inotify" }, CodeValue, "share.watch"},
		"no poll":              {func(c *Config) { c.Share.Poll = 0 }, CodeValue, "share.poll"},
		"negative reserve":     {func(c *Config) { c.Share.FreeReserve = -1 }, CodeValue, "share.free_reserve"},
		"no folders":           {func(c *Config) { c.Share.MaxFolders = 0 }, CodeValue, "share.max_folders"},
		"too many folders":     {func(c *Config) { c.Share.MaxFolders = 1025 }, CodeValue, "share.max_folders"},
		"mode of queue":        {func(c *Config) { c.Queue.Mode = "" }, CodeRequired, "queue.mode"},
		"no run timeout":       {func(c *Config) { c.Queue.RunTimeout = 0 }, CodeRequired, "queue.run_timeout"},
		"negative retries":     {func(c *Config) { c.Queue.Retries = -1 }, CodeValue, "queue.retries"},
		"settle under poll":    {func(c *Config) { c.Share.Poll = c.Queue.Settle + 1 }, CodeOrder, "share.poll"},
		"settle over evidence": {func(c *Config) { c.Queue.Settle, c.Queue.EvidenceTimeout = 7e9, 6e9 }, CodeOrder, "queue.settle"},
		"settle over run":      {func(c *Config) { c.Queue.RunTimeout = c.Queue.Settle }, CodeOrder, "queue.settle"},
		"share kept too short": {func(c *Config) { c.Retention.Share = c.Queue.RunTimeout }, CodeOrder, "queue.run_timeout"},
		"jobs kept too short":  {func(c *Config) { c.Retention.Jobs = c.Queue.LateWindow - 1 }, CodeOrder, "queue.late_window"},
		"rare keepalive":       {func(c *Config) { c.Deployments[1].Keepalive = c.Queue.EvidenceTimeout }, CodeOrder, "deployment[1].keepalive"},
		"file mode":            {func(c *Config) { c.Users.FileMode = 0o444 }, CodeValue, "users.file_mode"},
		"folder mode":          {func(c *Config) { c.Users.DirMode = 0o644 }, CodeValue, "users.dir_mode"},
		"no mode":              {func(c *Config) { c.Users.FileMode = 0 }, CodeRequired, "users.file_mode"},
		"copies":               {func(c *Config) { c.Users.CopiesPerUser = 5 }, CodeValue, "users.copies_per_user"},
		"nobody to log in":     {func(c *Config) { c.Auth.Mode, c.Server.UserHeader = "login", "" }, CodeLogin, "auth.mode"},
		"reader of metrics":    {func(c *Config) { c.Metrics.Readers = []string{"../x"} }, CodeValue, "metrics.readers"},
		"admin":                {func(c *Config) { c.Auth.Admins = []string{"../x"} }, CodeValue, "auth.admins"},
		"half of verda":        {func(c *Config) { c.Verda.ClientID = "id" }, CodeRequired, "verda.client_id"},
		"no capacity":          {func(c *Config) { c.Deployments[0].Capacity = 0 }, CodeValue, "deployment[0].capacity"},
		"price":                {func(c *Config) { c.Deployments[0].PricePerHour = -1 }, CodeValue, "deployment[0].price_per_hour"},
		"no price at all":      {func(c *Config) { c.Deployments[0].PricePerHour = math.NaN() }, CodeValue, "deployment[0].price_per_hour"},
		"driver":               {func(c *Config) { c.Deployments[0].Driver = "runpod" }, CodeValue, "deployment[0].driver"},
		"no name":              {func(c *Config) { c.Deployments[0].Name = "" }, CodeRequired, "deployment[0].name"},
		"odd name":             {func(c *Config) { c.Deployments[0].Name = "a/b" }, CodeValue, "deployment[0].name"},
		"no URL":               {func(c *Config) { c.Deployments[0].URL = "" }, CodeRequired, "deployment[0].url"},
		"URL without scheme":   {func(c *Config) { c.Deployments[0].URL = "localhost:8188" }, CodeURL, "deployment[0].url"},
		"URL with query":       {func(c *Config) { c.Deployments[0].URL = "https://a/?key=x" }, CodeURL, "deployment[0].url"},
		"URL with password":    {func(c *Config) { c.Deployments[0].URL = "https://u:hunter2@a/" }, CodeSecretInFile, "deployment[0].url"},
		"same name":            {func(c *Config) { c.Deployments[1].Name = "H200_SPOT" }, CodeDuplicate, "deployment[1].name"},
		"two active":           {func(c *Config) { c.Deployments[1].Active = true }, CodeActive, "deployment[1].active"},
		"url of a call":        {func(c *Config) { c.Deployments[0].URL = "https://gpu.example.org/h200/prompt/" }, CodeURL, "deployment[0].url"},
		"url of the api":       {func(c *Config) { c.Deployments[0].URL = "https://gpu.example.org/api" }, CodeURL, "deployment[0].url"},
		"key not set":          {func(c *Config) { c.Deployments[1].KeyEnv = "GPU_KEY" }, CodeSecretMissing, "deployment[1].key_env"},
		"key for its name":     {func(c *Config) { c.Deployments[1].KeyEnv = "hunter2-hunter2" }, CodeSecretInFile, "deployment[1].key_env"},
		"key file not read":    {func(c *Config) { c.Deployments[1].KeyFile = "/absent" }, CodeSecretMissing, "deployment[1].key_file"},
		"time zone":            {func(c *Config) { c.Calendar.Timezone = "Mars/Olympus" }, CodeValue, "calendar.timezone"},
		"workshop days":        {func(c *Config) { c.Calendar.WorkshopDays = []string{"monday"} }, CodeValue, "calendar.workshop_days"},
		"hold":                 {governed(func(d *Deployment) { d.Hold = "always" }), CodeValue, "deployment[0].hold"},
		"hold without account": {func(c *Config) { c.Deployments[0].Hold = "busy" }, CodeRequired, "deployment[0].hold"},
		"no windows":           {governed(func(d *Deployment) { d.Hold = "windows" }), CodeRequired, "deployment[0].hold_windows"},
		"windows for nothing":  {governed(func(d *Deployment) { d.HoldWindows = []string{"09:00-17:00"} }), CodeValue, "deployment[0].hold_windows"},
		"odd window":           {governed(func(d *Deployment) { d.Hold, d.HoldWindows = "both", []string{"9 to 5"} }), CodeValue, "deployment[0].hold_windows"},
		"no workshop day":      {governed(func(d *Deployment) { d.Hold, d.HoldWindows = "both", []string{"workshop 09:00-17:00"} }), CodeValue, "deployment[0].hold_windows"},
		"odd warm time":        {governed(func(d *Deployment) { d.WarmAt, d.WarmMaxCost = []string{"mon-fri"}, 1 }), CodeValue, "deployment[0].warm_at"},
		"warm without guard":   {governed(func(d *Deployment) { d.WarmAt = []string{"09:50"} }), CodeRequired, "deployment[0].warm_max_cost"},
		"warm without price": {governed(func(d *Deployment) { d.WarmAt, d.WarmMaxCost, d.PricePerHour = []string{"09:50"}, 1, 0 }),
			CodeRequired, "deployment[0].price_per_hour"},
		"warm what never sleeps": {governed(func(d *Deployment) { d.WarmAt, d.WarmMaxCost, d.ScaleToZero = []string{"09:50"}, 1, false }),
			CodeValue, "deployment[0].warm_at"},
		"warm for ever":        {governed(func(d *Deployment) { d.WarmFor = Duration(5 * time.Hour) }), CodeValue, "deployment[0].warm_for"},
		"budget without price": {func(c *Config) { c.Deployments[0].BudgetPerDay = 5 }, CodeRequired, "deployment[0].price_per_hour"},
		"budget below a step":  {governed(func(d *Deployment) { d.BudgetPerDay = 0.4 }), CodeValue, "deployment[0].budget_per_day"},
		"budget beyond counting": {func(c *Config) {
			c.Budget.PerDay, c.Deployments = 50, c.Deployments[:1]
			c.Deployments[0].PricePerHour, c.Deployments[0].ScaleToZero = 1, false
		},
			CodeValue, "budget.per_day"},
		"failover to itself":      {governed(func(d *Deployment) { d.FailoverTo = []string{"h200-spot"} }), CodeValue, "deployment[0].failover_to"},
		"failover to nobody":      {governed(func(d *Deployment) { d.FailoverTo = []string{"b200"} }), CodeValue, "deployment[0].failover_to"},
		"failover on nothing":     {governed(func(d *Deployment) { d.FailoverTo, d.FailoverOn = []string{"b300"}, []string{"rain"} }), CodeValue, "deployment[0].failover_on"},
		"failover without a wait": {governed(func(d *Deployment) { d.FailoverTo, d.FailoverOn = []string{"b300"}, []string{"wait_over"} }), CodeRequired, "deployment[0].failover_wait"},
		"failover after the end": {governed(func(d *Deployment) { d.FailoverTo, d.FailoverWait = []string{"b300"}, Duration(time.Hour) }),
			CodeOrder, "deployment[0].failover_wait"},
		"failover to nowhere": {governed(func(d *Deployment) { d.FailoverOn = []string{"failing"} }), CodeRequired, "deployment[0].failover_to"},
		"failover without account": {func(c *Config) {
			c.Deployments[0].FailoverTo, c.Deployments[0].FailoverOn = []string{"b300"}, []string{"spot_lost"}
		},
			CodeRequired, "deployment[0].failover_on"},
		"two lines of key": {func(c *Config) { c.Deployments[1].Key = "a\nb" }, CodeValue, "deployment[1].key"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			c.change(&cfg)
			ps := ProblemsOf(cfg.Validate())
			if len(ps) != 1 || ps[0].Code != c.code || ps[0].Key != c.key {
				t.Fatalf("got %v, want only %s of %s", ps, c.code, c.key)
			}
			if ps[0].Hint == "" || strings.Contains(ps.Error(), "hunter2") {
				t.Errorf("no next step, or a secret: %v", ps)
			}
		})
	}
}

// governed changes the first deployment of one where everything can be asked for.
func governed(change func(*Deployment)) func(*Config) {
	return func(c *Config) {
		c.Verda.ClientID, c.Verda.ClientSecretEnv, c.Verda.ClientSecret = "id", "SECRET", "hush"
		c.Deployments[0].Driver, c.Deployments[0].PricePerHour = "verda", 3
		change(&c.Deployments[0])
	}
}

func TestEveryRuleForDeploymentsTogether(t *testing.T) {
	cfg := valid()
	governed(func(d *Deployment) {
		d.BudgetPerDay, d.Hold, d.HoldWindows = 20, "both", []string{"workshop 09:45-17:00", "sat 10:00-12:00"}
		d.WarmAt, d.WarmMaxCost, d.WarmFor = []string{"workshop 09:50"}, 2, 0
		d.FailoverTo, d.FailoverOn, d.FailoverWait = []string{"b300"}, []string{"spot_lost", "quota_reached", "failing", "wait_over"}, Duration(10*time.Minute)
	})(&cfg)
	cfg.Deployments[1].PricePerHour = 5
	cfg.Calendar = Calendar{"Europe/Amsterdam", []string{"2026-12-01..2026-12-05"}}
	cfg.Budget.PerDay = 50
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateCollectsAndLocates(t *testing.T) {
	cfg, src := mustLoad(t, "[share]\noutputs = 'x'\n[queue]\nmax_depth = 0\n", "QMTUI_QUEUE_MODE=random")
	err := src.Locate(cfg.Validate())
	var got []string
	for _, p := range ProblemsOf(err) {
		got = append(got, p.Code)
	}
	slices.Sort(got)
	if want := []string{CodePath, CodeValue, CodeValue}; !slices.Equal(got, want) {
		t.Errorf("got %v", err)
	}
	for _, place := range []string{"my.toml:2: share.outputs", "my.toml:4: queue.max_depth", "$QMTUI_QUEUE_MODE: queue.mode"} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%q is not in\n%v", place, err)
		}
	}
}

func TestAdvice(t *testing.T) {
	for code, change := range map[string]func(*Config){
		"":                func(*Config) {},
		"no_deployment":   func(c *Config) { c.Deployments = nil },
		"none_active":     func(c *Config) { c.Deployments[0].Active = false },
		"key_in_clear":    func(c *Config) { c.Deployments[1].Key = "k" },
		"open_to_network": func(c *Config) { c.Server.Listen = ":3000" },
		// Row 6 of the limits: with the header alone, any process at the proxy's
		// address can be an admin.
		"header_without_secret": func(c *Config) { c.Auth.Mode = "login" },
	} {
		cfg := valid()
		change(&cfg)
		var got string
		for _, p := range cfg.Advice() {
			got += p.Code
		}
		if got != code {
			t.Errorf("got %q, want %q", got, code)
		}
	}
}

func TestRow16TheURLToUseInstead(t *testing.T) {
	for url, want := range map[string]string{
		"http://gpu:8188/prompt": `"http://gpu:8188"`, "http://gpu:8188/h200/api/prompt/": `"http://gpu:8188/h200"`,
		"http://gpu:8188/api": `"http://gpu:8188"`, "http://gpu:8188/api-h200": "", "http://gpu:8188/prompter": "",
		"http://gpu:8188/PROMPT": `"http://gpu:8188"`, "http://gpu:8188/h200/ws": `"http://gpu:8188/h200"`, "http://gpu:8188/Queue//": `"http://gpu:8188"`,
		"http://gpu:8188/API/Prompt": `"http://gpu:8188"`, "http://gpu:8188/h200/system_stats": `"http://gpu:8188/h200"`, "http://gpu:8188/upload/image": `"http://gpu:8188"`,
		"http://gpu:8188/history/3f": `"http://gpu:8188"`, "http://gpu:8188/object_info/KSampler": `"http://gpu:8188"`, "http://gpu:8188/api/jobs/3f": `"http://gpu:8188"`,
		"http://gpu:8188/h200-queue": "", "http://gpu:8188/models/h200": "", "http://gpu:8188/jobs/h200": "", "http://ws:8188": "", "http://gpu:8188/": "", "http://prompt/": "",
	} {
		cfg := valid()
		cfg.Deployments[0].URL = url
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

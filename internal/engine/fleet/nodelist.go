package fleet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	// nodesKept is for how long what one replica listed counts beside what
	// another listed later.
	nodesKept = 15 * time.Minute
	// maxReplies bounds how many different answers are merged.
	maxReplies = 16
	// justRead is for how long a list may refuse a prompt without being read again.
	justRead = 15 * time.Second
	// confirmTimeout bounds the questions of one check.
	confirmTimeout = 5 * time.Second
	// enoughReplies is after how many answers in a row a balancer's replicas
	// are taken to lack something: of two replicas of which one lacks it, all
	// these answers come from that one once in 256 times.
	enoughReplies = 8
	// maxConfirmed bounds the classes that one check asks about.
	maxConfirmed = 4
)

// nodeList is what the replicas of a deployment listed of their node classes.
// It is guarded by its site's lock; the zero value knows nothing.
type nodeList struct {
	replies  []nodeReply // newest first, no two the same
	union    *comfy.ObjectInfo
	readAt   time.Time // when a whole list last came
	triedAt  time.Time // when a check last asked in vain
	emptyAt  time.Time // when the last whole list came, if it was empty; else zero
	replaced []string
	wanted   bool // the last attempt in flight has left since somebody last thought of reading the list
	// servers are the versions and command lines of servers that answered since
	// the last whole list but one, with the time of that list.
	servers map[string]bool
	// confirmed is when so many answers in a row spoke against the use of a class.
	confirmed map[string]time.Time
	// keptSum and keptAt are what was last kept over a restart.
	keptSum [sha256.Size]byte
	keptAt  time.Time
}

type nodeReply struct {
	info *comfy.ObjectInfo
	sum  [sha256.Size]byte
	at   time.Time
}

// add takes in an answer. With alone, one server answers and so what it said
// before is over.
func (l *nodeList) add(info *comfy.ObjectInfo, now time.Time, alone bool) {
	reply := nodeReply{info: info, sum: sha256.Sum256(info.JSON()), at: now}
	same := func(r nodeReply) bool { return r.sum == reply.sum }
	old := func(r nodeReply) bool { return alone || now.Sub(r.at) > nodesKept }
	known := len(l.replies) > 0 && same(l.replies[0]) && !slices.ContainsFunc(l.replies, old)
	l.replies = slices.DeleteFunc(l.replies, func(r nodeReply) bool { return same(r) || old(r) })
	l.replies = slices.Insert(l.replies, 0, reply)
	l.replies = l.replies[:min(len(l.replies), maxReplies)]
	if !known {
		l.merge()
	}
}

func (l *nodeList) merge() {
	infos := make([]*comfy.ObjectInfo, len(l.replies))
	for i, r := range l.replies {
		infos[i] = r.info
	}
	l.union = comfy.MergeObjectInfo(infos...).Replacing(l.replaced)
}

// Nodes is what the workers of that deployment last listed of their nodes.
// When nothing is known of it, or it is empty, it is that of the one that was
// submitted to last, or else the newest of all. It asks nobody.
func (f *Fleet) Nodes(deployment string) job.NodeList {
	for _, s := range []*site{f.byName[deployment], f.inUse()} {
		if s != nil && s.nodes().JSON != nil {
			return s.nodes()
		}
	}
	var newest job.NodeList
	for _, s := range f.sites {
		if list := s.nodes(); list.JSON != nil && (newest.JSON == nil || list.At.After(newest.At)) {
			newest = list
		}
	}
	return newest
}

func (s *site) nodes() job.NodeList {
	s.mu.Lock()
	defer s.mu.Unlock()
	return job.NodeList{Deployment: s.spec.Name, At: s.list.readAt, JSON: s.list.union.JSON()}
}

func (f *Fleet) inUse() *site {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

func (s *site) knownNodes() *comfy.ObjectInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list.union
}

// nodesDue reports that the list is to be read again: it has its age, or a
// server answers that was not there when it was read. A server that keeps
// track of all files on the share looks at each for every list, so it is asked
// less often.
func (s *site) nodesDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := s.opts.NodesEvery
	if s.system != nil && hasFlag(s.system.Argv, "--enable-assets") {
		every *= 6
	}
	l := &s.list
	return l.readAt.IsZero() || s.opts.Now().Sub(l.readAt) >= every || l.readAt.Before(s.health.warmSince) || !l.servers[signature(s.system)]
}

// readNodesOnce reads the list, if that is due, after prompts that ended before
// anybody asked about them: otherwise it would never be known where all are
// that quick. Each time the last attempt leaves is a reason for one reading, and
// only while the deployment is awake, so that nothing is kept warm by it.
func (s *site) readNodesOnce(ctx context.Context) {
	s.mu.Lock()
	wanted := s.list.wanted
	s.list.wanted = false
	s.mu.Unlock()
	if !wanted || !s.nodesDue() || !s.awake() {
		return
	}
	if err := s.askNodes(ctx); err != nil {
		s.opts.Logger.Debug("ask for nodes", "deployment", s.spec.Name, "error", err)
	}
}

// signature tells servers apart that may have other nodes.
func signature(x *job.System) string {
	if x == nil {
		return ""
	}
	return x.Version + "\n" + strings.Join(x.Argv, "\n")
}

// askNodes asks a worker that is awake which node classes it has.
func (s *site) askNodes(ctx context.Context) error {
	var nodes *comfy.ObjectInfo
	err := s.ask("GET /object_info", func() error {
		var err error
		nodes, err = s.driver.Nodes(ctx)
		return err
	})
	if err != nil {
		return err
	}
	replaced, err := s.driver.Replaced(ctx)
	if err != nil {
		s.opts.Logger.Debug("ask for node replacements", "deployment", s.spec.Name, "error", err)
	}
	s.keepNodes(s.takeNodes(nodes, replaced))
	return nil
}

// takeNodes takes in a whole list; it returns what is to be kept over a
// restart, nil for nothing.
func (s *site) takeNodes(nodes *comfy.ObjectInfo, replaced []string) *keptNodes {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Now()
	if nodes.Len() == 0 {
		s.list.emptyAt = now
		return nil
	}
	s.list.emptyAt = time.Time{}
	s.list.add(nodes, now, s.solo.is())
	if len(replaced) > 0 && !slices.Equal(replaced, s.list.replaced) {
		s.list.replaced = replaced
		s.list.merge()
	}
	if now.Sub(s.list.readAt) >= s.opts.NodesEvery {
		s.list.servers = nil
	}
	if s.list.servers == nil {
		s.list.servers = map[string]bool{}
	}
	s.list.servers[signature(s.system)] = true
	s.list.readAt = now
	return s.list.toKeep(s.spec.URL, now)
}

// askClass asks about one class only, which costs little.
func (s *site) askClass(ctx context.Context, name string) error {
	var nodes *comfy.ObjectInfo
	err := s.ask("GET /object_info", func() error {
		var err error
		nodes, err = s.driver.Class(ctx, name)
		return err
	})
	if err != nil || nodes.Len() == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.add(nodes, s.opts.Now(), false)
	return nil
}

// compare checks a prompt against what a deployment listed, nil for none, and
// returns that list. It refuses what the replicas were just found to lack;
// what only an old list speaks against is a warning, and the worker decides.
// The error is a *comfy.Refusal.
func (f *Fleet) compare(s *site, p *comfy.Prompt) (*comfy.ObjectInfo, []job.Warning, error) {
	if s == nil {
		return nil, nil, p.Check(nil)
	}
	s.firstList(context.Background(), p)
	var warnings []job.Warning
	r, sure := s.confirm(p.MissingClasses)
	switch {
	case r != nil && sure:
		return nil, nil, r
	case r != nil:
		warnings = append(warnings, f.warning("node_list_old", fmt.Sprintf("%s, as far as the list of nodes that %s gave %s tells", r.Message, s.spec.Name, s.listAge()),
			"the worker decides; if it refuses the job, "+r.Hint))
	}
	if err := p.Check(s.knownNodes().Unsure()); err != nil {
		return nil, nil, err
	}
	if r == nil {
		if bad, sure := s.confirm(p.BadInputs); bad != nil && sure {
			return nil, nil, bad
		}
		if s.listFresh() {
			for _, doubt := range p.DoubtfulInputs(s.knownNodes()) {
				warnings = append(warnings, f.warning("inputs_doubtful", doubt, "the custom node decides; look at this input if the worker refuses the job"))
			}
		}
	}
	return s.knownNodes(), warnings, nil
}

// firstList asks a deployment that is awake for its nodes when it never listed
// them and nothing else tells whether the prompt saves anything.
func (s *site) firstList(ctx context.Context, p *comfy.Prompt) {
	if !p.Doubtful(s.knownNodes()) {
		return
	}
	s.confirming.Lock()
	defer s.confirming.Unlock()
	s.mu.Lock()
	tried := s.opts.Now().Sub(s.list.triedAt) < justRead
	s.mu.Unlock()
	if tried || s.knownNodes() != nil || !s.awake() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if err := s.askNodes(ctx); err != nil {
		s.tried()
	}
}

func (f *Fleet) warning(code, message, hint string) job.Warning {
	return job.Warning{Code: code, At: f.opts.Now(), Message: message, Hint: hint}
}

func (s *site) listAge() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return span(s.opts.Now().Sub(s.list.readAt)) + " ago"
}

func (s *site) listFresh() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opts.Now().Sub(s.list.readAt) < s.opts.NodesEvery
}

// confirm says what the list speaks against, and whether the replicas of a
// deployment that is awake were just asked and bear it out.
func (s *site) confirm(against func(*comfy.ObjectInfo) *comfy.Refusal) (r *comfy.Refusal, sure bool) {
	if r = against(s.knownNodes()); r == nil {
		return nil, false
	}
	s.confirming.Lock()
	defer s.confirming.Unlock()
	if r = against(s.knownNodes()); r == nil { // another check has asked meanwhile
		return nil, false
	}
	now := s.opts.Now()
	s.mu.Lock()
	list, alone := s.list, s.solo.is()
	s.mu.Unlock()
	read := now.Sub(list.readAt) < justRead
	if now.Sub(list.triedAt) < justRead || !read && !s.awake() {
		return r, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmTimeout)
	defer cancel()
	if !read {
		if s.askNodes(ctx) != nil {
			s.tried()
			return r, false
		}
		if r = against(s.knownNodes()); r == nil {
			return nil, false
		}
	}
	if alone {
		return r, true
	}
	return s.confirmEach(ctx, against, r)
}

// confirmEach asks a balancer about the classes at fault until each was found
// on no replica, or all of them on one. A class that is missing settles it alone.
func (s *site) confirmEach(ctx context.Context, against func(*comfy.ObjectInfo) *comfy.Refusal, r *comfy.Refusal) (*comfy.Refusal, bool) {
	sure := map[string]bool{}
	for r != nil {
		open := classesOf(r)
		asked := slices.DeleteFunc(slices.Clone(open), func(class string) bool { return !sure[class] })
		if len(asked) == len(open) || len(asked) > 0 && r.Code == "unknown_class" {
			return r, true
		}
		if len(sure) >= maxConfirmed {
			return r, false
		}
		class := open[slices.IndexFunc(open, func(class string) bool { return !sure[class] })]
		again, err := s.confirmClass(ctx, against, class)
		if err != nil {
			s.tried()
			return r, false
		}
		sure[class] = true
		r = again
	}
	return nil, false
}

// confirmClass asks about one class, unless that was just done, until the
// fault is gone or enough answers left it.
func (s *site) confirmClass(ctx context.Context, against func(*comfy.ObjectInfo) *comfy.Refusal, class string) (*comfy.Refusal, error) {
	r := against(s.knownNodes())
	s.mu.Lock()
	at := s.list.confirmed[class]
	s.mu.Unlock()
	if s.opts.Now().Sub(at) < justRead {
		return r, nil
	}
	for range enoughReplies - 1 { // the whole list was the first
		if r == nil || !slices.Contains(classesOf(r), class) {
			return r, nil
		}
		if err := s.askClass(ctx, class); err != nil {
			return r, err
		}
		r = against(s.knownNodes())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list.confirmed == nil || len(s.list.confirmed) > 1000 {
		s.list.confirmed = map[string]time.Time{}
	}
	s.list.confirmed[class] = s.opts.Now()
	return r, nil
}

func (s *site) tried() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.triedAt = s.opts.Now()
}

// classesOf are the classes of the nodes at fault, sorted.
func classesOf(r *comfy.Refusal) []string {
	set := map[string]bool{}
	for _, e := range r.NodeErrors {
		set[e.ClassType] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// awake reports that a question wakes no machine: the deployment never sleeps,
// or has answered within half of the time after which it does.
func (s *site) awake() bool {
	r := s.reading()
	if !s.spec.ScaleToZero {
		return r.state == job.WarmthWarm || r.state == job.WarmthUnknown
	}
	return r.state == job.WarmthWarm && s.opts.Now().Sub(r.at) < s.rules.idle/2
}

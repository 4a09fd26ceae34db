package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	crowdUsers = 20
	crowdJobs  = 10 // of each
)

// crowd reads two sockets for each user as they come, and has a third for each
// that is not read any more after its snapshot.
type crowd struct {
	*testing.T
	svc   *fakeService
	users []string
	slow  []*listener
	rev   float64 // that the slow ones know

	mu   sync.Mutex
	told map[string]map[string]int // by user: how often the end of a job was told
	late time.Duration             // the longest between an end and its telling
	ends map[job.ID]crowdEnd
}

// crowdEnd is the end of a job.
type crowdEnd struct {
	user string
	at   time.Time
}

// A crowd of users each hear of all of their own jobs and of nobody else's, at
// once, while as many readers take nothing. Those are cut off, and are told
// what they missed when they come back.
func TestSocketsOfACrowd(t *testing.T) {
	svc := newFake()
	inBubble(t, svc, func(t *testing.T, p *pipes, s *Server) {
		c := &crowd{T: t, svc: svc, told: map[string]map[string]int{}, ends: map[job.ID]crowdEnd{}}
		for n := range crowdUsers {
			c.join(p, fmt.Sprintf("user%03d", n+1))
		}
		synctest.Wait() // until the server watches for all of them
		c.work()
		for _, user := range c.users {
			c.checkTold(user)
			c.checkTold(user + " by the face")
		}
		if c.late > coalesce {
			t.Errorf("an end was told after %v", c.late)
		}
		<-time.After(slowReader + pingEvery + pongTimeout) // fake time
		synctest.Wait()
		if n := openSockets(s); n != 2*crowdUsers {
			t.Errorf("%d sockets are open: those who read nothing were not cut off, or others were", n)
		}
		c.comeBack(p)
		for _, l := range c.slow {
			l.conn.CloseNow()
		}
	})
}

func (c *crowd) join(p *pipes, user string) {
	c.users = append(c.users, user)
	c.told[user], c.told[user+" by the face"] = map[string]int{}, map[string]int{}
	reader := openPiped(c.T, p, "/ws?user_id="+user)
	c.read(reader, user, user)
	client := openPiped(c.T, p, "/comfy/"+user+"/ws?clientId=page-of-"+user)
	c.read(client, user, user+" by the face")
	slow := openPiped(c.T, p, "/ws?user_id="+user)
	c.rev = slow.next().Data["rev"].(float64)
	slow.next()
	c.slow = append(c.slow, slow)
}

// read takes whatever comes and counts ends.
func (c *crowd) read(l *listener, user, as string) {
	c.Cleanup(func() { l.conn.CloseNow() })
	go func() {
		for {
			_, raw, err := l.conn.Read(context.Background())
			if err != nil {
				return
			}
			c.count(string(raw), user, as)
		}
	}()
}

func (c *crowd) count(frame, user, as string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, end := range c.ends {
		if !strings.Contains(frame, string(id)) {
			continue
		}
		if end.user != user {
			c.Errorf("%s is told of a job of %s: %s", as, end.user, frame)
		}
		if strings.Contains(frame, `"type":"execution_success"`) || strings.Contains(frame, `"type":"outputs"`) {
			c.told[as][string(id)]++
			c.late = max(c.late, time.Since(end.at))
		}
	}
}

// work lets everybody's jobs be done, one of each user after the other.
func (c *crowd) work() {
	for n := range crowdJobs {
		for _, user := range c.users {
			j, _, err := c.svc.Submit(c.Context(), job.Request{User: user, Workflow: []byte(`{"9":{}}`), Priority: job.Normal,
				Caller: job.Caller{Name: user}, Metadata: []byte(`{"comfy":{"client_id":"page-of-` + user + `"}}`)})
			check(c.T, err)
			c.mu.Lock()
			c.ends[j.ID] = crowdEnd{user, time.Now()}
			c.svc.deliver(c.T, j.ID, fmt.Sprintf("%d.png", n), []byte("x"))
			c.mu.Unlock()
		}
		<-time.After(time.Second) // fake time
		synctest.Wait()
	}
}

func (c *crowd) checkTold(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.told[who]) != crowdJobs {
		c.Errorf("%s was told of %d ends of %d", who, len(c.told[who]), crowdJobs)
	}
	for id, n := range c.told[who] {
		if n != 1 {
			c.Errorf("%s was told %d times of %s", who, n, id)
		}
	}
}

// comeBack opens the sockets that were cut off anew, from where they were.
func (c *crowd) comeBack(p *pipes) {
	for n, user := range c.users {
		for err := error(nil); err == nil; { // what was under way when it was cut
			_, _, err = c.slow[n].conn.Read(c.Context())
		}
		l := openPiped(c.T, p, fmt.Sprintf("/ws?user_id=%s&since=%.0f", user, c.rev))
		missed := map[string]bool{}
		if h := l.next(); h.Data["caught_up"] != true {
			c.Errorf("%s: hello %+v", user, h)
		}
		for len(missed) < crowdJobs {
			if h := l.next(); h.Type == "outputs" {
				missed[h.Data["id"].(string)] = true
			}
		}
		_ = l.conn.Close(websocket.StatusNormalClosure, "")
	}
}

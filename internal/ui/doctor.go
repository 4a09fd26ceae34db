package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Messages of the manager's doctor.
type (
	doctorMsg struct {
		standing api.DoctorStanding
		err      error
	}
	// doctorAgainMsg says that it is time to ask how far a look is.
	doctorAgainMsg struct{}
)

// askDoctor asks what the doctor found and does.
func (m *Model) askDoctor() tea.Cmd {
	manager := m.w.manager
	return m.w.call(pollTimeout, func(ctx context.Context) tea.Msg {
		s, err := manager.Doctor(ctx)
		return doctorMsg{s, err}
	})
}

// runDoctor lets the manager look at everything anew.
func (m *Model) runDoctor(r api.DoctorRequest) tea.Cmd {
	manager := m.w.manager
	return m.w.call(pollTimeout, func(ctx context.Context) tea.Msg {
		s, err := manager.RunDoctor(ctx, r)
		return doctorMsg{s, err}
	})
}

// hearDoctor takes what the doctor's calls bring.
func (m *Model) hearDoctor(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case doctorMsg:
		return m.doctor.take(msg)
	case doctorAgainMsg:
		if m.doctor.waits = false; m.here() == inDoctor {
			return m.askDoctor()
		}
	}
	return nil
}

// askCanary says what a canary is and costs before one is sent.
func (m *Model) askCanary() tea.Cmd {
	d := m.w.worker(m.w.status.Active)
	switch {
	case d == nil:
		m.refuse("no deployment is active, so no canary can be sent")
		return nil
	case m.w.status.Mode != job.ModeRunning:
		m.refuse("the queue is " + string(m.w.status.Mode) + ", so no canary can be sent")
		return nil
	}
	m.ask(dialog{title: "Send a canary to " + m.w.text(d.Name) + "?", yes: "Send",
		lines: []string{"A picture of 8x8 pixels goes the whole way, into the folder of the user qmtui-canary.", "It is " + m.warmth(d) + ".", m.w.st.Warn.On(m.wakeCost(d))},
		act:   func(string) tea.Cmd { return m.runDoctor(api.DoctorRequest{Canary: true}) }})
	return nil
}

package main

import (
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/doctor"
	"github.com/comfyume/qmtui/internal/job"
)

// residentDoctor makes the doctor of a manager. It asks the manager as any
// admin does, over the socket; nothing is sent before it looks.
func residentDoctor(cfg config.Config, socket string) (*doctor.Resident, error) {
	v := doctor.Visit{Config: cfg, Prompts: examplePrompts()}
	if socket == "" {
		return doctor.NewResident(v, version()), nil
	}
	client, err := api.Dial(socket)
	if err != nil {
		return nil, err
	}
	v.Manager = client
	return doctor.NewResident(v, version()), nil
}

// auditedDoctor keeps who let a canary fly. Looking alone is not kept.
type auditedDoctor struct {
	*doctor.Resident
	deeds audited
}

// Begin starts a look for somebody.
func (d auditedDoctor) Begin(q api.DoctorRequest, by job.Caller) (api.DoctorStanding, error) {
	s, err := d.Resident.Begin(q)
	if q.Canary {
		d.deeds.note(by, "canary", "", err)
	}
	return s, err
}

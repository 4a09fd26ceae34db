package config

import (
	"slices"
	"testing"
)

func TestChanged(t *testing.T) {
	a := Default()
	a.Deployments = []Deployment{NewDeployment("one")}
	b := a
	b.Deployments = slices.Clone(a.Deployments)
	if got := Changed(a, b); len(got) != 0 {
		t.Errorf("equal configurations differ in %v", got)
	}
	b.Log.Level, b.Auth.Admins, b.Deployments[0].Key = "debug", []string{"eve"}, "hunter2"
	b.Deployments = append(b.Deployments, NewDeployment("two"))
	got := Changed(a, b)
	for _, key := range []string{"auth.admins", "deployment[0].key", "deployment[1].name", "log.level"} {
		if !slices.Contains(got, key) {
			t.Errorf("%s is missing in %v", key, got)
		}
	}
	if slices.Contains(got, "queue.mode") || !slices.IsSorted(got) {
		t.Errorf("got %v", got)
	}
	if !slices.Contains(Changed(b, a), "deployment[1].name") {
		t.Error("a deployment that is gone is no change")
	}
}

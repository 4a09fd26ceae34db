package server

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Every call of the face has its section in docs/face.md and every section its call.
func TestFaceDocument(t *testing.T) {
	raw, err := os.ReadFile("../../docs/face.md")
	check(t, err)
	var described, routes []string
	for _, m := range heading.FindAllStringSubmatch(string(raw), -1) {
		described = append(described, m[1]+" "+m[2])
	}
	for _, rt := range newServer(t, newFake(), nil).faceRoutes() {
		routes = append(routes, rt.method+" "+rt.path)
	}
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) {
		t.Errorf("described:\n%s\nroutes:\n%s", strings.Join(described, "\n"), strings.Join(routes, "\n"))
	}
}

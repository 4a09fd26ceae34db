//go:build race

package ui

// raceDetector says that times mean nothing.
const raceDetector = true

//go:build race

package server

// raceDetector says that times and memory mean nothing.
const raceDetector = true

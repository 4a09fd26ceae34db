//go:build race

package comfy

// raceDetector says that times mean nothing.
const raceDetector = true

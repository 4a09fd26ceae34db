//go:build race

package picture

// raceDetector says that memory and times are those of the detector.
const raceDetector = true

//go:build race

package session

// raceDetector makes everything several times slower.
const raceDetector = true

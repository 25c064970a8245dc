//go:build race

package gateway

// raceDetector makes everything several times slower.
const raceDetector = true

//go:build race

package bus

// raceEnabled tells that the race detector is on, which allocates.
const raceEnabled = true

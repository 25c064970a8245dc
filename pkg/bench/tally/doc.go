// Package tally is the arithmetic of a measurement: how long things took, and
// which numbered messages a receiver saw, missed or saw twice.
package tally

// Package archtest holds tests that read the whole module's source and refuse
// what the architecture does not allow. It has no code of its own to import.
//
//	ladder_test.go    which package may import which: the map, as a table
//	owners_test.go    which package may use which outside library
//	pure_test.go      packages of step 0 do no I/O, read no clock, start no goroutine
//	comments_test.go  every package says what it is for
//	folders_test.go   which folders the root may have
//	config_test.go    every key in config/*.toml is a documented field, and the reverse
//
// A new package or a new edge changes a table here, in the same commit, with the
// reason. Each check is a function over a [tree], so that its own test can show
// it a small wrong one and see it refused.
package archtest

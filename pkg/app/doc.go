// Package app builds the programs out of the packages below it: it reads their
// configuration, starts what they are made of in order, and makes them leave in
// order. It is the only reader of configuration and the only user of EGO's
// builders.
//
//	file.toml ─┐
//	defaults  ─┼─ load.go ── validate ── econf ── EGO (log, governor, gRPC, Redis)
//	env       ─┘                    └─── packages
//
// Both services have one life, seen by EGO as one server:
//
//	start    governor up, answering "not ready"
//	         dependencies, each tried until it is there
//	         number from the registry, then the packages
//	ready    the client port or the API answers
//	leave    row says draining -> not ready -> no new sessions -> clients sent
//	         away -> consumers stop -> producer flushed -> lease released
package app

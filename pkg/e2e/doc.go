// Package e2e tests the programs as their users run them: processes of their
// own, stock Socket.IO clients in Node.js, components over gRPC. The services
// behind them are embedded, or the real ones when SLUICE_TEST_REAL is set.
package e2e

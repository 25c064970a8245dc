// Package session is the index of who is where: which sockets a user has, which
// sockets are members of a document, which replica holds each of them. It owns
// the keys of the session index in Redis.
package session

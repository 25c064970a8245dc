package api

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"sluice/pkg/id"
)

// A page token is base64url of
//
//	version 1 | hash of the list's target 4 bytes | the session index's cursor
//
// The hash refuses tokens that were given for another list, where they would
// silently skip sockets.
const pageTokenVersion = 1

func pageToken(of id.Target, cursor string) string {
	if cursor == "" {
		return ""
	}
	b := append([]byte{pageTokenVersion}, listHash(of)...)
	return base64.RawURLEncoding.EncodeToString(append(b, cursor...))
}

func parsePageToken(s string, of id.Target) (cursor string, ok bool) {
	if len(s) > maxPageToken || strings.ContainsAny(s, "\r\n") {
		return "", false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 6 || b[0] != pageTokenVersion || string(b[1:5]) != string(listHash(of)) {
		return "", false
	}
	return string(b[5:]), plain(string(b[5:]))
}

func listHash(of id.Target) []byte {
	h := fnv.New32a()
	h.Write(of.Append(nil))
	return binary.BigEndian.AppendUint32(nil, h.Sum32())
}

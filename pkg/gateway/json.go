package gateway

import "encoding/json"

// appendJSONString appends s as a JSON string.
func appendJSONString(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil { // cannot be: any string encodes
		return append(dst, `""`...)
	}
	return append(dst, b...)
}

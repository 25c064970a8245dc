package gateway

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"testing"
)

// What is plain is read without encoding/json, and must mean the same to both.
func TestCredentialsAreReadAsJSONIs(t *testing.T) {
	query := &credentials{Token: "of the query", Locale: "fr", Documents: []string{"q"}}
	for payload, plain := range map[string]bool{
		`{}`: true, `{"token":"t","authType":"web","clientVersion":"1.2","locale":"de","documents":["a","b"]}`: true,
		` {"token":"t"}`: true, `{"documents":[]}`: true, `{"token":"","theme":"dark","tabs":3,"beta":true,"ref":null}`: true, `{"token":"a","token":"b"}`: true,
		`{"token":"\u0074"}`: false, `{"Token":"t"}`: false, `{"AUTHTYPE":"web"}`: false, `{"token":null}`: false, `{"token":7}`: false, `{"token":{}}`: false,
		`{"documents":"a"}`: false, `{"documents":null}`: false, `{"documents":["ä"]}`: false, `{"user":{"name":"ann"}}`: false, `{"tags":["x"]}`: false,
	} {
		for name, from := range map[string]*credentials{"nothing": nil, "a query": query} {
			var want, quick credentials
			if from != nil {
				want, quick = *from, *from
			}
			want.Documents, quick.Documents = append([]string(nil), want.Documents...), append([]string(nil), quick.Documents...)
			wantErr := json.Unmarshal([]byte(payload), &want)
			if quick.read([]byte(payload)) != plain {
				t.Errorf("%s is read at once: %v", payload, !plain)
			}
			if payload[0] != '{' {
				continue // refused before
			}
			got, err := parseCredentials([]byte(payload), from)
			if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("%s over %s: %+v %v, want %+v %v", payload, name, got, err, want, wantErr)
			}
		}
	}
	if query.Documents[0] != "q" {
		t.Error("the handshake's documents were overwritten")
	}
}

func TestCredentialsAreFoundInAnyQuery(t *testing.T) {
	for query, want := range map[string]*credentials{
		"EIO=4&transport=websocket": nil, "": nil, "EIO=4&t=token": nil, "EIO=4&x=a%20b": nil,
		"EIO=4&token=t": {Token: "t"}, "%74oken=t": {Token: "t"}, "authType=web&locale=de&clientVersion=1": {AuthType: "web", Locale: "de", ClientVersion: "1"},
		"documents=a,b": {Documents: []string{"a", "b"}}, "documents=a%2Cb": {Documents: []string{"a", "b"}}, "token=a+b": {Token: "a b"},
	} {
		if got := queryCredentials(httptest.NewRequest("GET", "/socket.io/?"+query, nil)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/socket.io/?EIO=4", nil)
	r.Header.Set("Authorization", "Bearer t")
	if got := queryCredentials(r); got == nil || got.Token != "t" {
		t.Errorf("a header says %+v", got)
	}
}

package bench

import (
	"encoding/json"
	"strings"

	"sluice/pkg/bench/swarm"
)

// articlePayload is the message of the article's scenarios, with values in the
// places that it leaves open: who is in a document.
const articlePayload = `{"type":"collaborators","data":{"type":"join","clients":[{"id":1048576,"name":"Anonymous Aardvark",` +
	`"email":"someone@example.com","avatar":"ZgG5kEjCkT6mZla6.png","created_at":1623811084000,"name_pinyin":"","team_id":13,` +
	`"team_role":"member","merged_into":0,"team_time":1623811084000,"mobile":"+1000000000","mobile_account":"","status":1,` +
	`"has_password":true,"team":null,"membership":null,"is_seat":true,"team_role_enum":3,"register_time":1623811084000,` +
	`"alias":"","type":"anonymous"}],"userCount":1,"from":"ws"}}`

// body is the argument behind the mark, the same for all messages.
func (p *PushSection) body() string {
	if p.Payload == "article" {
		return articlePayload
	}
	return `"` + strings.Repeat("x", p.Bytes) + `"`
}

// message is the arguments of a counted message.
func message(stream, number uint32, at int64, body string) json.RawMessage {
	text := swarm.AppendMark([]byte{'['}, stream, number, at)
	return append(append(append(text, ','), body...), ']')
}

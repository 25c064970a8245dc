package socketio_test

import (
	"fmt"

	"sluice/pkg/socketio"
)

func ExampleParse() {
	p, err := socketio.Parse([]byte(`2/docs,7["edit",{"at":3}]`), socketio.Rev5, socketio.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	name, args, err := socketio.EventArgs(p.Data, socketio.Limits{})
	fmt.Println(p.Type, p.Namespace, p.ID, name, string(args), err)
	fmt.Println(string(socketio.AppendAck(nil, p.Namespace, p.ID, []byte(`["ok"]`), 0)))
	// Output:
	// event /docs 7 edit [{"at":3}] <nil>
	// 3/docs,7["ok"]
}

func ExampleAssembler() {
	var a socketio.Assembler
	p, err := socketio.Parse([]byte(`51-["blob",{"_placeholder":true,"num":0}]`), socketio.Rev5, socketio.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	done, err := a.Packet(p)
	fmt.Println(done, err)
	done, err = a.Binary([]byte{1, 2, 3})
	fmt.Println(done, err)
	p, attachments := a.Take()
	fmt.Println(p.Type, attachments)
	// Output:
	// false <nil>
	// true <nil>
	// binary_event [[1 2 3]]
}

func ExampleParseMsgpack() {
	frame, err := socketio.AppendMsgpackEvent(nil, "/", "blob", []byte(`[{"_placeholder":true,"num":0}]`), [][]byte{{1, 2, 3}}, false, 0, "")
	fmt.Printf("%x %v\n", frame, err)
	p, attachments, err := socketio.ParseMsgpack(frame, socketio.Rev5, socketio.Limits{})
	fmt.Println(string(p.Data), attachments, err)
	// Output:
	// 83a47479706502a46461746192a4626c6f62c403010203a36e7370a12f <nil>
	// ["blob",{"_placeholder":true,"num":0}] [[1 2 3]] <nil>
}

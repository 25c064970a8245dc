package component_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"time"

	"google.golang.org/grpc"

	"sluice/pkg/component"
)

// Connect with a token; with a certificate, put it into TLS and leave the token
// away.
func ExampleDial() {
	c, err := component.Dial(context.Background(), component.Options{
		Address:   "ws-api.internal:9200",
		Component: "comments",
		Token:     os.Getenv("SLUICE_TOKEN"),
		TLS:       &tls.Config{MinVersion: tls.VersionTLS13},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

func ExampleClient_Push() {
	var (
		ctx context.Context
		c   *component.Client
	)
	res, err := c.Push(ctx, component.Push{
		Documents: []string{"doc-17"},
		Except:    []string{"0abcdefghijkl"}, // who wrote it knows it already
		Event:     "comment",
		Args:      []any{map[string]any{"text": "hello", "avatar": []byte{0x89, 'P', 'N', 'G'}}},
		Within:    2 * time.Second, // all members will fetch something: not all at once
	})
	switch {
	case errors.Is(err, component.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		log.Printf("outcome unknown; push again with the key %s", res.Key)
	case err != nil:
		log.Print(err)
	default:
		log.Printf("accepted as %s", res.Mid)
	}
}

// A cursor is worth something only now.
func ExampleClient_Push_ephemeral() {
	var (
		ctx context.Context
		c   *component.Client
	)
	_, _ = c.Push(ctx, component.Push{
		Documents: []string{"doc-17"},
		Event:     "cursor",
		Args:      []any{12, 80},
		Ephemeral: true,
		LatestKey: "cursor:u1",
	})
}

func ExampleClient_PushStream() {
	var (
		ctx   context.Context
		c     *component.Client
		users []string
	)
	p, err := c.PushStream(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range users {
		if err := p.Send(component.Push{Users: []string{user}, Event: "news", Args: []any{"v2 is out"}}); err != nil {
			break // Close returns it too
		}
	}
	sum, err := p.Close()
	log.Printf("%d accepted, %v", sum.Accepted, err)
}

func ExampleClient_Call() {
	var (
		ctx context.Context
		c   *component.Client
	)
	answers, err := c.Call(ctx, component.Call{User: "u1", Event: "unsaved?", Timeout: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		var unsaved bool
		if a.Outcome == component.Acked && a.Bind(&unsaved) == nil {
			log.Printf("socket %s: %v", a.Socket, unsaved)
		}
	}
}

func ExampleClient_Sockets() {
	var (
		ctx context.Context
		c   *component.Client
	)
	for s, err := range c.Sockets(ctx, component.List{Of: component.Of{Document: "doc-17"}, Details: true}) {
		if err != nil {
			log.Fatal(err)
		}
		log.Printf("%s of %s since %s", s.ID, s.User, s.Since)
	}
}

// Handle what clients send until the process is told to stop.
func ExampleClient_Subscribe() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c *component.Client

	var m component.Mux
	m.On("open", func(ctx context.Context, e *component.Event) error {
		var doc string
		if err := e.Bind(&doc); err != nil {
			return e.Reply(ctx, "bad request") // delivering it again would not mend it
		}
		if _, err := c.Join(ctx, component.Who{Sockets: []string{e.Socket()}}, doc); err != nil {
			return err // delivered again
		}
		return e.Reply(ctx, nil, "joined")
	})
	m.OnKind(component.Disconnect, func(ctx context.Context, e *component.Event) error {
		log.Printf("%s left: %s", e.User(), e.Reason())
		return nil
	})
	if err := c.Subscribe(ctx, m.Handle); err != nil {
		log.Fatal(err)
	}
}

// Say who clients are whose auth type has a callback to this port.
func ExampleRegisterVerifier() {
	var sessions map[string]component.Identity // a table of the logins
	server := grpc.NewServer()
	component.RegisterVerifier(server, os.Getenv("VERIFIER_TOKEN"),
		func(_ context.Context, authType, token string) (component.Identity, error) {
			who, ok := sessions[token]
			if !ok || authType != "mobile" {
				return component.Identity{}, component.ErrRefused // any other error: ask again later
			}
			return who, nil
		})
	l, err := net.Listen("tcp", "127.0.0.1:9300")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(l))
}

// Withdraw what a user logged in with, before its tokens end by themselves.
func ExampleClient_Revoke() {
	var (
		ctx context.Context
		c   *component.Client
	)
	r := component.Revoke{User: "u1", Remember: 7 * 24 * time.Hour, Reason: "password changed", IssuedBefore: time.Now()}
	for {
		done, err := c.Revoke(ctx, r)
		if err == nil && len(done.Unreached) == 0 {
			return
		}
		log.Printf("revoke u1 again: gateways %v were not told, %v", done.Unreached, err)
		time.Sleep(time.Second)
	}
}

func ExamplePack() {
	p, err := component.Pack("photo", []byte("binary"), map[string]any{"thumb": []byte("small")})
	fmt.Println(string(p.Args), len(p.Attachments), err)
	// Output: ["photo",{"_placeholder":true,"num":0},{"thumb":{"_placeholder":true,"num":1}}] 2 <nil>
}

func ExamplePayload_Bind() {
	p := component.Payload{
		Args:        []byte(`[{"name":"a.png","data":{"_placeholder":true,"num":0}},3]`),
		Attachments: [][]byte{[]byte("binary")},
	}
	var file struct {
		Name string
		Data []byte
	}
	var n int
	err := p.Bind(&file, &n)
	fmt.Println(file.Name, string(file.Data), n, err)
	// Output: a.png binary 3 <nil>
}

package transport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
)

// Clients that come, say something in pieces of any size and leave in any way
// are all heard in full, and seen to leave.
func TestWhoLeavesIsSeen(t *testing.T) {
	var mu sync.Mutex
	heard := 0
	w := newWorld(t, clients(func(c *client) {
		c.onEach = func(*client, []byte, bool) {
			mu.Lock()
			heard++
			mu.Unlock()
		}
	}))
	addr := strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), "/socket.io/")
	const workers, rounds = 8, 150
	said := make([]int, workers)
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() {
			for round := range rounds {
				said[n] += comeAndGo(t, addr, rand.New(rand.NewPCG(uint64(n), uint64(round))))
			}
		})
	}
	all.Wait()
	eventually(t, "everybody gone", func() bool { return w.v.Len() == 0 })
	want := 0
	for _, n := range said {
		want += n
	}
	mu.Lock()
	defer mu.Unlock()
	if heard != want {
		t.Errorf("heard %d messages, want %d", heard, want)
	}
}

// comeAndGo is one client; it answers how many messages it has sent that the
// server must have got.
func comeAndGo(t *testing.T, addr string, rnd *rand.Rand) int {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer conn.Close()
	fmt.Fprint(conn, handshakeText)
	buf := make([]byte, 4096)
	for got := ""; !strings.Contains(got, "}"); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Error(err)
			return 0
		}
		got += string(buf[:n])
	}
	messages := rnd.IntN(5)
	var out []byte
	for range messages {
		out = append(out, masked(0x81, "4"+strings.Repeat("x", rnd.IntN(6000)))...)
	}
	if rnd.IntN(2) == 0 {
		out = append(out, masked(0x88, "")...)
	}
	for len(out) > 0 {
		n := min(1+rnd.IntN(5000), len(out))
		if _, err := conn.Write(out[:n]); err != nil {
			t.Error(err)
			return 0
		}
		out = out[n:]
	}
	return messages
}

// Connections that hold up those who serve them do not hold up the others that
// have something to read at the same time.
func TestWhoIsHeldUpHoldsUpNobody(t *testing.T) {
	const all = 200
	free := make(chan struct{})
	w := newWorld(t, clients(func(c *client) {
		c.onEach = func(_ *client, data []byte, _ bool) {
			if string(data) == "hold" {
				<-free
			}
		}
	}))
	peers, got := w.several(all)
	for i, p := range peers {
		if i%2 == 0 {
			p.say("4hold")
		} else {
			p.say("4pass")
		}
	}
	for i, c := range got {
		if i%2 != 0 {
			c.wants("pass")
		}
	}
	close(free)
	for i, c := range got {
		if i%2 == 0 {
			c.wants("hold")
		}
	}
}

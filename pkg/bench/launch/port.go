package launch

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// given are the ports that FreePort has returned: who got one may not listen yet.
var given sync.Map

// FreePort returns a port of loopback that was free a moment ago, and that was
// not returned before. It is below those that the system gives to connections,
// which would take it meanwhile.
func FreePort() (int, error) {
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if _, again := given.LoadOrStore(port, true); again {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = l.Close() // it served its purpose
		return port, nil
	}
	return 0, errors.New("no free port")
}

// freePorts are some, as text.
func freePorts(n int) ([]string, error) {
	ports := make([]string, n)
	for i := range ports {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports[i] = strconv.Itoa(port)
	}
	return ports, nil
}

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const bare = "bare"

// candidate is a server to measure.
type candidate struct {
	name    string
	title   string
	dialect *dialect
	start   func(s *settings, secure bool) (server, error)
}

// server is one that runs.
type server interface {
	address() string
	pid() int
	push(times int) error
	count() (int64, error) // what came from clients
	collect() error        // garbage
	stop() error
}

var candidates = []candidate{
	{bare, "bare writes", &barely, ours("bare")},
	{"plain", "Sluice, transport only", &socketIO, ours("plain")},
	{"sluice", "Sluice, the whole way", &withToken, startProduct},
	{"node", "Node socket.io 4.8.4", &socketIO, startNode},
	{"centrifuge", "centrifuge 0.37.0", &centrifuge, ours("centrifuge")},
	{"zishang", "zishang520/socket.io 3.0.1", &socketIO, ours("zishang")},
}

// peer is a server with a control port.
type peer struct {
	cmd     *exec.Cmd
	Address string `json:"address"`
	Control string `json:"control"`
}

// ours starts a program in Go.
func ours(program string) func(*settings, bool) (server, error) {
	return func(s *settings, secure bool) (server, error) {
		cmd := exec.Command(filepath.Join(s.bin, "peer-"+program))
		if secure {
			cmd.Args = append(cmd.Args, "-cert", s.cert, "-key", s.key)
		}
		return startPeer(cmd)
	}
}

func startNode(s *settings, secure bool) (server, error) {
	cmd := exec.Command("node", "--expose-gc", "server.mjs")
	cmd.Dir = filepath.Join(s.peers, "node")
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	if secure {
		cmd.Args = append(cmd.Args, s.cert, s.key)
	}
	return startPeer(cmd)
}

// startPeer waits for the line that says where it listens.
func startPeer(cmd *exec.Cmd) (server, error) {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it has nothing to save
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &peer{cmd: cmd}
	lines := bufio.NewScanner(out)
	for p.Control == "" && lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), p) // other lines are its log
	}
	if p.Control == "" {
		return nil, errors.Join(fmt.Errorf("%s does not start", cmd.Path), p.stop())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return p, nil
}

func (p *peer) address() string { return p.Address }
func (p *peer) pid() int        { return p.cmd.Process.Pid }

func (p *peer) push(times int) error {
	_, err := get("http://" + p.Control + "/push?times=" + strconv.Itoa(times))
	return err
}

func (p *peer) count() (int64, error) {
	text, err := get("http://" + p.Control + "/count")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
}

// collect asks twice: what the first finds unused, the second gives back.
func (p *peer) collect() error {
	for range 2 {
		if _, err := get("http://" + p.Control + "/gc"); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

func (p *peer) stop() error {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // says that it was killed
	return nil
}

var web = http.Client{Timeout: 30 * time.Second}

func get(url string) (string, error) {
	answer, err := web.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return string(text), err
}

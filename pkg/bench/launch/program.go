package launch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrEnded means that a program ended instead of getting ready.
var ErrEnded = errors.New("it has ended")

// StartTimeout is how long a program may take to get ready.
const StartTimeout = 60 * time.Second

// Program is one of Sluice's processes.
type Program struct {
	Name       string
	Address    string // that it serves, host:port
	Operations string // http://host:port of metrics, health and profiles

	base  string // of its files, without the end
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	how   error         // to be read then
}

// PID is its process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

func (p *Program) start(bin string, env map[string]string, attr *syscall.SysProcAttr) error {
	bin, err := filepath.Abs(bin) // it runs in another folder
	if err != nil {
		return err
	}
	log, err := os.Create(p.base + ".log")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()                   // the program has its own
	p.cmd = exec.Command(bin, "-config", p.base+".toml") //nolint:noctx // it is told to leave
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = filepath.Dir(p.base), log, log, attr
	p.cmd.Env = os.Environ()
	for key, value := range env {
		p.cmd.Env = append(p.cmd.Env, key+"="+value)
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func() {
		p.how = p.cmd.Wait()
		close(p.ended)
	}()
	return nil
}

func (p *Program) stop(grace time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	late := time.AfterFunc(grace, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.ended
	if p.how != nil {
		return fmt.Errorf("%s: %w", p.Name, p.how)
	}
	return nil
}

func (p *Program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// lastWords are the end of its log.
func (p *Program) lastWords() string {
	const enough = 2000
	text, err := os.ReadFile(p.base + ".log")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

// ready waits until the program says that it is.
func (p *Program) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask(ctx, p.Operations+"/ready")
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-p.ended:
			return ErrEnded
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", StartTimeout, err)
		}
	}
}

// asker keeps no connection that a program would have to close when it leaves.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func ask(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := asker.Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // nothing is read
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

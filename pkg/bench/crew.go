package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"sluice/pkg/bench/swarm"
	"sluice/pkg/bench/tally"
)

// crew is all workers.
type crew struct {
	members []*member
	shares  []float64  // of the clients
	firsts  []uint32   // clients of each
	calls   sync.Mutex // one order that is answered at a time
}

// member is one worker process.
type member struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers chan answer

	mu  sync.Mutex // guards writes
	out *json.Encoder
}

const (
	orderTimeout = 30 * time.Second
	leaveTimeout = 10 * time.Second
)

// errWorker means that a worker ended or does not answer.
var errWorker = errors.New("a worker is gone")

// hire starts a worker for each group; program is run with the argument worker.
func hire(program string, base assignment, groups []group) (*crew, error) {
	c := &crew{}
	var all float64
	for _, g := range groups {
		all += float64(g.Count)
	}
	for _, g := range groups {
		c.shares, c.firsts = append(c.shares, float64(g.Count)/all), append(c.firsts, g.First)
		m, err := startMember(program)
		if err != nil {
			return nil, errors.Join(err, c.dismiss())
		}
		c.members = append(c.members, m)
		a := base
		a.Group = g
		if err := m.send(&order{Op: opAssign, Assign: &a}); err != nil {
			return nil, errors.Join(err, c.dismiss())
		}
	}
	if _, err := c.collect(); err != nil {
		return nil, errors.Join(err, c.dismiss())
	}
	return c, nil
}

func startMember(program string) (*member, error) {
	m := &member{cmd: exec.Command(program, workerCommand), answers: make(chan answer, 1)} //nolint:noctx // it ends with its input
	m.cmd.Stderr = os.Stderr
	var err error
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	m.out = json.NewEncoder(m.stdin)
	go func() {
		defer close(m.answers)
		in := json.NewDecoder(stdout)
		for {
			var a answer
			if in.Decode(&a) != nil {
				return
			}
			m.answers <- a
		}
	}()
	return m, nil
}

func (m *member) send(o *order) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.out.Encode(o); err != nil {
		return fmt.Errorf("%w: %w", errWorker, err)
	}
	return nil
}

// tell gives all workers an order that is not answered.
func (c *crew) tell(o *order) error {
	for _, m := range c.members {
		if err := m.send(o); err != nil {
			return err
		}
	}
	return nil
}

// tellOne gives an order that is not answered to the worker of a client.
func (c *crew) tellOne(client uint32, o *order) error {
	at, found := slices.BinarySearch(c.firsts, client)
	if !found {
		at--
	}
	return c.members[at].send(o)
}

// call gives all workers an order and waits for their answers. Rates are for
// all clients: each worker gets the part that is its clients'.
func (c *crew) call(o order) ([]answer, error) {
	c.calls.Lock()
	defer c.calls.Unlock()
	for i, m := range c.members {
		part := o
		part.Rate *= c.shares[i]
		if o.Upstream != nil {
			u := *o.Upstream
			u.Rate *= c.shares[i]
			part.Upstream = &u
		}
		if err := m.send(&part); err != nil {
			return nil, err
		}
	}
	return c.collect()
}

func (c *crew) collect() ([]answer, error) {
	timeout := time.NewTimer(orderTimeout)
	defer timeout.Stop()
	var all []answer
	for _, m := range c.members {
		select {
		case a, ok := <-m.answers:
			if !ok {
				return nil, errWorker
			}
			if a.Error != "" {
				return nil, errors.New(a.Error)
			}
			all = append(all, a)
		case <-timeout.C:
			return nil, fmt.Errorf("%w: no answer within %v", errWorker, orderTimeout)
		}
	}
	return all, nil
}

// dismiss ends the workers and waits for them.
func (c *crew) dismiss() error {
	var errs []error
	for _, m := range c.members {
		_ = m.stdin.Close() // its end
	}
	for _, m := range c.members {
		kill := time.AfterFunc(leaveTimeout, func() { _ = m.cmd.Process.Kill() }) // it may just have ended
		for range m.answers {                                                     // until it closes its output
			continue
		}
		errs = append(errs, m.cmd.Wait())
		kill.Stop()
	}
	return errors.Join(errs...)
}

// census is the state of all clients and what they cost.
type census struct {
	swarm.Stats
	resident int64
	cpu      float64
}

func sumOf(answers []answer) census {
	var sum census
	for i := range answers {
		if s := answers[i].Stats; s != nil {
			sum.Add(s)
		}
		sum.resident += answers[i].Resident
		sum.cpu += answers[i].CPU
	}
	return sum
}

func balanceOf(answers []answer) tally.Balance {
	var sum tally.Balance
	for i := range answers {
		if b := answers[i].Balance; b != nil {
			sum.Add(*b)
		}
	}
	return sum
}

package reason

import (
	"fmt"
	"strings"
	"time"
)

// Markdown writes the table as CLIENTS.md holds it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| code | try again | where it shows | what it means |\n|---|---|---|---|\n")
	for i := range table {
		e := &table[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Reason, e.advice(), strings.Join(e.places(), "; "), e.Text)
	}
	return b.String()
}

// advice is the retry with its times.
func (e *Entry) advice() string {
	switch {
	case e.Retry == Now && e.Spread > 0:
		return fmt.Sprintf("`now`, within %s", seconds(e.Spread))
	case e.Retry != Later:
		return fmt.Sprintf("`%s`", e.Retry)
	case e.Spread > 0:
		return fmt.Sprintf("`later`, in %s to %s", seconds(e.After), seconds(e.After+e.Spread))
	default:
		return fmt.Sprintf("`later`, in %s", seconds(e.After))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }

// places says where the reason shows, and in which form.
func (e *Entry) places() []string {
	var out []string
	switch {
	case e.Status != 0 && e.EngineIO == None:
		out = append(out, fmt.Sprintf("HTTP %d", e.Status))
	case e.Status != 0:
		out = append(out, fmt.Sprintf("HTTP %d, code %d", e.Status, e.EngineIO))
	}
	if e.Connect != "" {
		out = append(out, fmt.Sprintf("connect error, %q", e.Connect))
	}
	switch {
	case e.Told:
		out = append(out, "`sluice:closing`, then closed")
	case e.Code != 0:
		out = append(out, fmt.Sprintf("closed with %d", e.Code))
	case e.Close:
		out = append(out, "closed")
	}
	if e.Answer {
		out = append(out, "answer")
	}
	return out
}

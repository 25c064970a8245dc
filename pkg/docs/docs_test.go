package docs

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/pkg/component"
)

func TestRunWaitsForTheAPI(t *testing.T) {
	address := freshAddress(t)
	stop := run(t, address)
	s := serve(t, address) // later than the component
	if v := s.open("a", "welcome", "Otter"); v.People.Count != 1 {
		t.Fatalf("the document has %d people, want 1", v.People.Count)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestRunEndsWhenItIsRefused(t *testing.T) {
	s := serve(t, freshAddress(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := Run(ctx, Options{Address: "unix:" + s.address, Token: "wrong", Log: quiet()})
	if !errors.Is(err, component.ErrDenied) {
		t.Fatalf("got %v, want it denied", err)
	}
}

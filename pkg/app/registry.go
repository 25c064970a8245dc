package app

import (
	"context"
	"database/sql"
	"time"

	"sluice/migrations"
	"sluice/pkg/id"
	"sluice/pkg/mesh"
	"sluice/pkg/replica"
)

// register opens the registry's database, brings its schema up to date and
// gets this process its number, however long that takes.
func (b *backbone) register(ctx context.Context, cfg replica.Config, ident replica.Identity) (*id.Generator, error) {
	b.database = replica.NewDatabase(cfg.Driver, cfg.DSN, migrate)
	b.registry = replica.New(cfg, ident, b.database.Open, b.log, replica.NewMetrics(b.reg), time.Now)
	var ids *id.Generator
	err := until(ctx, b.log, "registry", func(ctx context.Context) error {
		var err error
		ids, err = b.registry.Register(ctx)
		return err
	})
	return ids, err
}

func migrate(ctx context.Context, db *sql.DB, driver string) error {
	return migrations.Up(ctx, db, migrations.Dialect(driver))
}

// directory is the registry as the mesh's address book. The registry's list is
// in memory and outlives its database.
type directory struct{ registry *replica.Registry }

const gatewayService = "ws-gateway"

func (d directory) Lookup(r id.Replica) (mesh.Member, bool) { return gatewayOnly(d.registry.Lookup(r)) }

func (d directory) Find(ctx context.Context, r id.Replica) (mesh.Member, bool) {
	return gatewayOnly(d.registry.Find(ctx, r))
}

func gatewayOnly(m replica.Member, ok bool) (mesh.Member, bool) {
	if !ok || m.Service != gatewayService {
		return mesh.Member{}, false
	}
	return meshMember(m), true
}

func (d directory) Gateways() []mesh.Member {
	var all []mesh.Member
	for _, m := range d.registry.Members() {
		if m.Service == gatewayService {
			all = append(all, meshMember(m))
		}
	}
	return all
}

func meshMember(m replica.Member) mesh.Member {
	return mesh.Member{Replica: m.Replica, Boot: m.Boot, Address: m.Address, Service: m.Service}
}

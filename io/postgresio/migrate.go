package postgresio

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is held while the schema is looked at and changed, so that two
// processes that start at once don't both create it. The number is arbitrary.
const migrationLock = 7231894650113

// Migrate brings the ledger's schema to this version, and then runs the given
// statements, which must be repeatable (create table if not exists …). It is
// safe when several processes start at once.
func Migrate(ctx context.Context, d Database, statements ...string) error {
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return retry(ctx, pool, prepareBound, "migrating the schema cartstream", func(ctx context.Context) error {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return migrateLocked(ctx, conn.Conn(), statements)
	})
}

func migrateLocked(ctx context.Context, conn *pgx.Conn, statements []string) error {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	// When a try fails, the lock must not outlive it in the pool.
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", migrationLock) }()
	if err := createSchema(ctx, conn); err != nil {
		return err
	}
	migrator, err := migrate.NewMigrator(ctx, conn, "cartstream.schema_version")
	if err != nil {
		return err
	}
	if err := keepVersionPublished(ctx, conn); err != nil {
		return err
	}
	migrator.OnStart = func(sequence int32, name, _, _ string) {
		slog.InfoContext(ctx, "Migrating the schema cartstream", "step", sequence, "name", name)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	if err := migrator.LoadMigrations(files); err != nil {
		return err
	}
	if err := refuseNewer(ctx, migrator); err != nil {
		return err
	}
	if err := migrator.Migrate(ctx); err != nil {
		return err
	}
	// The migrator leaves a session with nothing but defaults.
	if _, err := conn.Exec(ctx, sessionSettings); err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// keepVersionPublished gives the migrator's own table a primary key where it
// has none: otherwise a publication FOR ALL TABLES refuses its updates.
func keepVersionPublished(ctx context.Context, conn *pgx.Conn) error {
	var has bool
	err := conn.QueryRow(ctx, "select exists (select from pg_index where indrelid = 'cartstream.schema_version'::regclass and indisprimary)").Scan(&has)
	if err != nil || has {
		return err
	}
	_, err = conn.Exec(ctx, "alter table cartstream.schema_version add primary key (version)")
	return err
}

// refuseNewer refuses a ledger that a later version of this program has
// migrated.
func refuseNewer(ctx context.Context, migrator *migrate.Migrator) error {
	is, err := migrator.GetCurrentVersion(ctx)
	if known := int32(len(migrator.Migrations)); err == nil && is > known {
		return fmt.Errorf("the schema cartstream has version %d and is newer than this program, which knows it up to version %d: use a newer cartstream", is, known)
	}
	return err
}

// createSchema asks first, so that a role without the right to create schemas
// can use one that is there.
func createSchema(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, "select to_regnamespace('cartstream') is not null").Scan(&there); err != nil || there {
		return err
	}
	_, err := conn.Exec(ctx, "create schema cartstream")
	return err
}

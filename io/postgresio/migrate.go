package postgresio

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is held while the schema is looked at and changed, so that two
// processes that start at once don't both create it. The number is arbitrary.
const migrationLock = 7231894650113

// Migrate brings the ledger's schema to this version, and then runs the given
// statements, which must be repeatable (create table if not exists …). All of it is
// one transaction, so that it is done or not, and works behind a pooler. It is
// safe when several processes start at once.
func Migrate(ctx context.Context, d Database, statements ...string) error {
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return retry(ctx, pool, prepareBound, "migrating the schema cartstream", func(ctx context.Context) error {
		return inTransaction(ctx, pool, "migrating the schema cartstream", beginWriting, func(tx pgx.Tx) error {
			return migrate(ctx, tx, statements)
		})
	})
}

func migrate(ctx context.Context, tx pgx.Tx, statements []string) error {
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", migrationLock); err != nil {
		return err
	}
	steps, err := migrationSteps()
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if err := keepVersionPublished(ctx, tx); err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("the schema cartstream has version %d and is newer than this program, which knows it up to version %d: use a newer cartstream", version, len(steps))
	}
	for i, step := range steps[version:] {
		slog.InfoContext(ctx, "Migrating the schema cartstream", "step", version+i+1, "name", step.name)
		if _, err := tx.Exec(ctx, step.sql); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if version < len(steps) {
		if _, err := tx.Exec(ctx, "update cartstream.schema_version set version = $1", len(steps)); err != nil {
			return err
		}
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// keepVersionPublished gives the table of the version a primary key where it has
// none: otherwise a publication FOR ALL TABLES refuses its updates.
func keepVersionPublished(ctx context.Context, tx pgx.Tx) error {
	var has bool
	err := tx.QueryRow(ctx, "select exists (select from pg_index where indrelid = 'cartstream.schema_version'::regclass and indisprimary)").Scan(&has)
	if err != nil || has {
		return err
	}
	_, err = tx.Exec(ctx, "alter table cartstream.schema_version add primary key (version)")
	return err
}

type migrationStep struct{ name, sql string }

// migrationSteps are the files NNN_name.sql in their order, numbered from 001. What
// comes after a line of theirs would undo them.
func migrationSteps() ([]migrationStep, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	steps := make([]migrationStep, len(files))
	for i, f := range files {
		if want := fmt.Sprintf("%03d_", i+1); !strings.HasPrefix(f.Name(), want) {
			return nil, fmt.Errorf("the migration %s must be called %sname.sql", f.Name(), want)
		}
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		sql, _, _ := strings.Cut(string(text), "---- create above / drop below ----")
		steps[i] = migrationStep{f.Name(), sql}
	}
	return steps, nil
}

// schemaVersion returns how many steps were made, 0 where there is no schema. It
// asks first, so that a role without the right to create schemas can use one that
// is there.
func schemaVersion(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var schema, table bool
	err = tx.QueryRow(ctx, "select to_regnamespace('cartstream') is not null, to_regclass('cartstream.schema_version') is not null").Scan(&schema, &table)
	if err == nil && !schema {
		_, err = tx.Exec(ctx, "create schema cartstream")
	}
	if err == nil && !table {
		_, err = tx.Exec(ctx, "create table cartstream.schema_version (version int4 not null); insert into cartstream.schema_version values (0)")
	}
	if err == nil {
		err = tx.QueryRow(ctx, "select version from cartstream.schema_version").Scan(&version)
	}
	return version, err
}

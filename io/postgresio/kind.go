package postgresio

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// kind is what decides, beside the columns, whether a table can be loaded
// exactly once.
type kind struct {
	temporary bool
	// lockable says that the role may lock the table as COPY does.
	lockable bool
	// role is the one that loads, and rowSecurity says that policies apply to it.
	role        string
	rowSecurity bool
	// rules are the names of those on INSERT and UPDATE.
	rules []string
	// foreign are partitions that are foreign tables, unlogged the table or
	// partitions that a crash of the server empties.
	foreign, unlogged []string
}

// kindColumns reads the kind of the relation c.
const kindColumns = `
c.relpersistence = 't', has_table_privilege(c.oid, 'insert'), current_user::text, row_security_active(c.oid),
coalesce((select array_agg(r.rulename::text order by r.rulename) from pg_rewrite r
	where r.ev_class = c.oid and r.ev_type in ('2', '3') and r.ev_enabled in ('O', 'A')), '{}'),
coalesce((select array_agg(p.oid::regclass::text order by p.oid) from pg_partition_tree(c.oid) l join pg_class p on p.oid = l.relid
	where p.relkind = 'f'), '{}'),
coalesce((select array_agg(p.oid::regclass::text order by p.oid) from pg_class p
	where p.relpersistence = 'u' and p.relkind = 'r' and (p.oid = c.oid or p.oid in (select l.relid from pg_partition_tree(c.oid) l))), '{}')`

const foreignReason = "Its rows are stored by another server or program, which does not commit together with the ledger, so they could be lost or stored twice. " +
	"Load into a table of this database"

// checkKind refuses tables that rows can't be loaded into exactly once.
func (t *table) checkKind(allowUnlogged bool) error {
	k := &t.kind
	switch {
	case k.temporary:
		return fmt.Errorf("the table %s is temporary: it ends with its session, and the ledger would still call its files loaded. Load into a permanent table", t.name)
	case len(k.foreign) > 0:
		return fmt.Errorf("the table %s has a partition that is a foreign table (%s). %s, without foreign partitions", t.name, strings.Join(k.foreign, ", "), foreignReason)
	case len(k.unlogged) > 0 && !allowUnlogged:
		return fmt.Errorf("%s is unlogged: PostgreSQL empties it after a crash, and the ledger would still call its files loaded. "+
			"Load into a logged table, or set postgres.allow_unlogged: true if you can do without the rows", strings.Join(k.unlogged, ", "))
	case len(k.rules) > 0:
		return fmt.Errorf("the table %s has rules ON INSERT or ON UPDATE (%s), which PostgreSQL applies to some ways of writing rows and not to others. "+
			"Load into a table without such rules", t.name, strings.Join(k.rules, ", "))
	case k.rowSecurity:
		return fmt.Errorf("row-level security of the table %s applies to the role %s, and PostgreSQL lets no such role use COPY. "+
			"Load with a role to which it does not apply: the owner of the table, unless it is forced, or a role with BYPASSRLS", t.name, k.role)
	}
	return nil
}

// checkUpdates asks PostgreSQL whether rows can be updated: EXPLAIN checks
// permissions, and replica identities of published tables and partitions, and
// changes nothing.
func (t *table) checkUpdates(ctx context.Context, db querier) error {
	if !t.rule.upsert {
		return nil
	}
	sets := make([]string, len(t.rule.columns))
	for i, c := range t.rule.columns {
		sets[i] = pgx.Identifier{c.name}.Sanitize() + " = null"
	}
	rows, err := db.Query(ctx, "explain (costs off) update "+t.quoted+" set "+strings.Join(sets, ", "), pgx.QueryExecModeExec)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55000" { // object_not_in_prerequisite_state
		return fmt.Errorf("rows of %s can't be updated, as upserts do: %s. Its owner can give it a primary key or another replica identity, "+
			"or leave its updates out of the publication; insert_mode: insert needs neither", t.name, pg.Message)
	}
	return err
}

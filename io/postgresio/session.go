package postgresio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Nothing is kept in a session of PostgreSQL: a pooler in transaction mode gives
// each transaction another one, and gives ours to other clients. So every
// statement runs in a transaction that begins with our settings, no statement is
// prepared by name, and locks end with their transaction.

const applicationName = "cartstream"

// startupParameters go into the startup packet. They are those that poolers keep
// for each of their clients.
var startupParameters = map[string]string{
	"application_name": applicationName,
	"client_encoding":  "UTF8",
	"timezone":         "UTC",
}

// setStartup replaces what the connection string says of the startup parameters. The
// names of PostgreSQL's settings have no case.
func setStartup(c *pgx.ConnConfig) {
	maps.DeleteFunc(c.RuntimeParams, func(name, _ string) bool { return startupParameters[strings.ToLower(name)] != "" })
	maps.Copy(c.RuntimeParams, startupParameters)
}

// pins are the settings that every transaction has, whatever the server, the
// database, the role, the connection string or another client of the pooler has
// set. The values are as SHOW gives them.
//
// Not pinned are lc_messages, because nothing depends on the language of messages,
// and lc_monetary, lc_numeric and lc_time, because no column of a type that they
// format can be loaded, and a trigger that uses them means the database's own.
var pins = []struct{ name, value string }{
	// How values are written and read as text, by statements of Cartstream and by
	// triggers.
	{"client_encoding", "UTF8"},
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "3"}, // before PostgreSQL 12, less would round
	{"standard_conforming_strings", "on"},
	{"array_nulls", "on"},
	{"xmloption", "content"},
	{"transform_null_equals", "off"},
	// Triggers and foreign keys apply to every row. Triggers that read other tables
	// see there what the role may see.
	{"session_replication_role", "origin"},
	{"row_security", "on"},
	// Time limits for a role's own queries would cut loads short; loads are bounded by
	// their batches, and by what watchedConn sees. A worker that vanished must free
	// its locks.
	{"statement_timeout", "0"},
	{"lock_timeout", "0"},
	{"transaction_timeout", "0"},
	{"idle_in_transaction_session_timeout", "1min"},
	// A rejected row must not end the session.
	{"exit_on_error", "off"},
	// Lookups by key must not become scans while the planner has no statistics of a
	// table that has just been created.
	{"enable_seqscan", "off"},
	{"jit", "off"},
	{"plan_cache_mode", "auto"},
	{"application_name", applicationName},
}

// setPins sets what is not as it should be. What is committed must outlive a crash
// of the server. A name without a schema means the table that it means to the role,
// but never one of the ledger, which "$user" would find for a role that is called
// cartstream, nor another client's temporary one, and operators are PostgreSQL's own.
var setPins = `select set_config(name, value, true) from (values ` + pinValues() + `,
	('synchronous_commit', case when current_setting('synchronous_commit') = 'off' then 'on' end),
	('search_path', case when current_user = 'cartstream' or pg_my_temp_schema() <> 0 or current_schemas(false) = '{}'
			or position('cartstream' in current_setting('search_path')) + position('pg_' in current_setting('search_path')) > 0
		then (select coalesce(string_agg(quote_ident(s), ', ' order by place), 'public') || ', pg_temp'
			from unnest(current_schemas(false)) with ordinality c(s, place) where s <> 'cartstream' and left(s, 3) <> 'pg_') end)) pin(name, value)
	where current_setting(name, true) <> value`

func pinValues() string {
	values := make([]string, len(pins))
	for i, p := range pins {
		values[i] = fmt.Sprintf("('%s', '%s')", p.name, p.value)
	}
	return strings.Join(values, ", ")
}

// The ways to begin a transaction. Isolation is told each time: another default of
// the role would hide ranges from each other.
const beginCommitted = "begin isolation level read committed not deferrable"

var (
	beginWriting = beginCommitted + "; " + setPins
	beginLoading = beginWriting + "; set constraints all immediate"
	// beginReading sees one state of everything and changes nothing. Whole tables
	// are read there, and scans are right. Row-level security that would hide rows is
	// an error.
	beginReading = "begin isolation level repeatable read read only not deferrable; " + setPins +
		"; set local enable_seqscan = on; set local row_security = off"
)

// sessionSettings are of the session itself, where it is ours alone. The server
// must not end a session that has nothing to do for a while, or that has not come to
// its pins yet, and must notice that its client is gone.
const sessionSettings = `select
	set_config('statement_timeout', '0', false),
	case when current_setting('transaction_timeout', true) <> '0' then set_config('transaction_timeout', '0', false) end,
	case when current_setting('idle_session_timeout', true) <> '0' then set_config('idle_session_timeout', '0', false) end,
	set_config('tcp_keepalives_idle', '15', false),
	set_config('tcp_keepalives_interval', '5', false),
	set_config('tcp_keepalives_count', '3', false)`

// errReplica is the error of a role that may not pin session_replication_role.
var errReplica = errors.New("session_replication_role is replica for this role, database or connection string, and the role may not change it: " +
	"triggers and foreign keys would not apply to the rows. Remove the setting " +
	"(ALTER ROLE … RESET session_replication_role, ALTER DATABASE … RESET session_replication_role), or load with a role that has none")

// checkWritable refuses a session that some setting of its own makes read-only. One that
// the server makes read-only, as a standby or in maintenance, is waited for.
func checkWritable(ctx context.Context, tx pgx.Tx) error {
	var readOnly bool
	err := tx.QueryRow(ctx, `select setting = 'on' and source in ('database', 'user', 'database user', 'client')
		from pg_settings where name = 'default_transaction_read_only'`).Scan(&readOnly)
	if err == nil && readOnly {
		return errReadOnly
	}
	return err
}

var errReadOnly = errors.New("default_transaction_read_only is on for this role, database or connection string, so nothing can be written. Remove the setting " +
	"(ALTER ROLE … RESET default_transaction_read_only, ALTER DATABASE … RESET default_transaction_read_only), or load with a role that has none")

// explainSession says what to do about a session in which no transaction of ours can begin.
func explainSession(err error) error {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return err
	case strings.Contains(pg.Message, "statement pooling mode"): // PgBouncer's messages are English
		return errStatementMode
	case pg.Code == "42501" && strings.Contains(pg.Message, "session_replication_role"):
		return errReplica
	}
	return err
}

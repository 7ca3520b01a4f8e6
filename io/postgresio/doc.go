// Package postgresio loads records into PostgreSQL, each exactly once or into
// the dead letters, for any struct with `db:"column"` tags and any table with
// a primary key or a unique constraint on columns that they write.
//
// Load is the sink, Ledger answers what is loaded already, Migrate makes the
// schema cartstream that holds the ledger and the dead letters, History and
// Verify read it.
//
// The protocol: a range's entry in the ledger, its rows, its dead letters and
// their counts are committed in one transaction. Whoever comes second with a
// range finds its entry and drops it. So a load may be killed, retried and run
// twice at any moment and on any runner; the ledger is the checkpoint.
package postgresio

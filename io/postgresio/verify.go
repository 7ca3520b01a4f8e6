package postgresio

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Finding is something that is off.
type Finding struct {
	// Kind is one of the Off constants.
	Kind  string `json:"kind"`
	Table string `json:"table,omitempty"`
	File  string `json:"file,omitempty"`
	// Line is that of the record, 0 where the finding is of no record.
	Line int64 `json:"line,omitempty"`
	// Key is that of the record's row, as column=value, …
	Key     string `json:"key,omitempty"`
	Problem string `json:"problem"`
}

// The kinds of findings in the ledger itself.
const (
	OffCounts      = "counts"
	OffCoverage    = "coverage"
	OffLedger      = "ledger"
	OffDeadLetters = "dead_letters"
	OffTotals      = "totals"
	OffTable       = "table"
	OffManifest    = "manifest"
)

// NotChecked is a file, or several, that could not be read again.
type NotChecked struct {
	Table  string `json:"table,omitempty"`
	File   string `json:"file,omitempty"`
	Reason string `json:"reason"`
}

// Verification is what Verify looked at and found.
type Verification struct {
	Files      int64 `json:"files"`
	Loading    int64 `json:"loading"`
	Failed     int64 `json:"failed"`
	Records    int64 `json:"records"`
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Duplicates int64 `json:"duplicates"`
	Stale      int64 `json:"stale"`
	Errors     int64 `json:"errors"`
	// Off counts what is off, and OffByKind the same by kind.
	Off       int64            `json:"off"`
	OffByKind map[string]int64 `json:"off_by_kind"`
	// Findings are the first of them, no more than VerifyOptions.Limit.
	Findings []Finding `json:"findings"`
	// Reread is nil unless files were read again.
	Reread *Reread `json:"read_again,omitempty"`

	mu    sync.Mutex
	limit int
}

// Reread is what was looked at by reading files again.
type Reread struct {
	Files   int64 `json:"files"`
	Bytes   int64 `json:"bytes"`
	Records int64 `json:"records"`
	// Pending are records that are not loaded yet, of files that are loading.
	Pending int64 `json:"pending_records"`
	// NotCheckedFiles counts the files that could not be read again, and
	// NotChecked are the first of them, no more than VerifyOptions.Limit.
	NotCheckedFiles int64        `json:"not_checked_files"`
	NotChecked      []NotChecked `json:"not_checked"`
}

// DefaultFindings is how many findings are kept.
const DefaultFindings = 100

// VerifyOptions say what Verify looks at beside the ledger; nil is nothing.
type VerifyOptions struct {
	// Expected, unless nil, says what must have been loaded into the table, and
	// that nothing else was.
	Expected *Expectation
	// Files, unless nil, reads the table's files again.
	Files FileCheck
	// Limit bounds the findings that are kept, and the files that were not
	// checked; all are counted. 0 is DefaultFindings.
	Limit int
}

// Verify checks the ledger against itself, the dead letters and the table, as
// of one moment: records = inserted + updated + duplicates + stale + dead
// letters for each range and in total, ranges that cover each file without gap
// or overlap, and as many rows in the table as were inserted.
func Verify(ctx context.Context, pool *pgxpool.Pool, table string, o *VerifyOptions) (*Verification, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	v := &Verification{Findings: []Finding{}, OffByKind: map[string]int64{}, limit: cmp.Or(o.Limit, DefaultFindings)}
	err := inTransaction(ctx, pool, "verifying", beginReading, func(tx pgx.Tx) error {
		// Large sorts are right here. While files are read, the session waits, and is
		// not one that may be ended as stale.
		if _, err := tx.Exec(ctx, "set local work_mem = '64MB'; set local idle_in_transaction_session_timeout = 0; set local application_name = '"+applicationName+" verify'"); err != nil {
			return err
		}
		if err := v.verifyLedger(ctx, tx, table); err != nil {
			return err
		}
		if o.Expected != nil {
			found, err := o.Expected.check(ctx, tx, table)
			if err != nil {
				return err
			}
			v.addAll(found)
		}
		if o.Files == nil {
			return nil
		}
		if _, err := tx.Exec(ctx, "set local enable_seqscan = off"); err != nil {
			return err
		}
		v.Reread = &Reread{NotChecked: []NotChecked{}}
		before := len(v.Findings)
		err := o.Files(ctx, &verifier{v: v, tx: tx, target: table, progress: time.Now()})
		slices.SortStableFunc(v.Findings[before:], func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		return err
	})
	return v, err
}

// add counts a finding, and keeps it unless there are many.
func (v *Verification) add(f Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f.File = shownName(f.File)
	v.Off++
	v.OffByKind[f.Kind]++
	if len(v.Findings) < v.limit {
		v.Findings = append(v.Findings, f)
	}
}

func (v *Verification) addAll(found []Finding) {
	for _, f := range found {
		v.add(f)
	}
}

// missingRows compares the number of rows in the table with those that the
// ledger inserted. More are none of its business: others may write too.
func missingRows(ctx context.Context, tx pgx.Tx, table string) ([]Finding, error) {
	id, err := ParseTable(table)
	if err != nil {
		return nil, err
	}
	var loaded, rows int64
	err = tx.QueryRow(ctx, `select coalesce(sum(inserted), 0)::bigint from cartstream.loads where table_name = `+targetSQL, id.Sanitize()).Scan(&loaded)
	if err != nil || loaded == 0 {
		return nil, err
	}
	if err := tx.QueryRow(ctx, `select count(*) from `+id.Sanitize()).Scan(&rows); err != nil || rows >= loaded {
		return nil, err
	}
	return []Finding{{
		Kind: OffTable, Table: id.Sanitize(),
		Problem: fmt.Sprintf("the table has %d rows, the ledger inserted %d: somebody has deleted some", rows, loaded),
	}}, nil
}

package postgresio

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// probeAtOnce is how many rows probe tries in one round trip.
const probeAtOnce = 500

// probe tries the first rows, each by itself and undone again, in one round
// trip, and rejects those that PostgreSQL refuses. It returns the others, and
// what comes behind.
func (a *attempt) probe(ctx context.Context, rows []*row, sql statement) (rest []*row, err error) {
	tried := rows[:min(len(rows), probeAtOnce)]
	if len(tried) == 0 {
		return rows, nil
	}
	if err := a.exec(ctx, "savepoint p"); err != nil {
		return nil, err
	}
	if err := a.tryEach(ctx, tried, sql); err != nil {
		return nil, err
	}
	for _, r := range tried {
		if r.outcome != rejected {
			rest = append(rest, r)
		}
	}
	return append(rest, rows[len(tried):]...), a.exec(ctx, "release savepoint p")
}

func (a *attempt) tryEach(ctx context.Context, rows []*row, sql statement) error {
	p := a.conn.PgConn().StartPipeline(ctx)
	for _, r := range rows {
		text, params := sql.of([]*row{r})
		p.SendQueryParams(text, params, nil, binaryFormats(params), nil)
		p.SendPipelineSync()
		p.SendQueryParams("rollback to savepoint p", nil, nil, nil, nil)
		p.SendPipelineSync()
	}
	if err := p.Flush(); err != nil {
		return errors.Join(err, p.Close())
	}
	for _, r := range rows {
		reason, err := a.nextOf(p)
		if err != nil {
			return errors.Join(err, p.Close())
		}
		if reason != nil {
			a.reject(r, reason, sql.columns)
		}
		if _, err := a.nextOf(p); err != nil { // of the rollback
			return errors.Join(err, p.Close())
		}
	}
	return p.Close()
}

// nextOf reads the result of the next statement of a pipeline, up to its sync:
// what was wrong with its row, if anything, or any other error.
func (a *attempt) nextOf(p *pgconn.Pipeline) (reason *pgconn.PgError, err error) {
	for {
		result, err := p.GetResults()
		if reader, ok := result.(*pgconn.ResultReader); ok && err == nil {
			_, err = reader.Close()
		}
		if fault, isRow := a.rowFault(err); isRow {
			reason = fault
		} else if err != nil {
			return nil, err
		}
		if _, ok := result.(*pgconn.PipelineSync); ok {
			return reason, nil
		}
	}
}

package main

import (
	"context"
	"fmt"
	"time"
)

// candidate is one of those that take turns.
type candidate struct {
	name string
	note string
	// prepare does what is not measured, in the database that the command gets.
	prepare func(ctx context.Context, d database) error
	command func(d database) command
	// rows are what the command takes in, want the rows of the table at the end.
	rows, want int
	// window, for a command that is cut short, tells how long it loaded: its rows
	// are those of the table then, and no more than want.
	window func(stdout []byte) (time.Duration, error)
	// gaveUp, for a candidate that others can do without, takes the error with which
	// it failed; it has no further turn then, and no loads.
	gaveUp func(error)
}

// load is a turn of a candidate.
type load struct {
	usage
	rows int
}

// rates are the rows a second of a candidate's turns.
func rates(name string, loads []load) series {
	values := make([]float64, len(loads))
	for i, l := range loads {
		values[i] = float64(l.rows) / l.wall.Seconds()
	}
	return newSeries(name, perSecond, values...)
}

const perSecond = "rows/s"

// turns has the candidates load one after the other, round by round, and returns
// the loads of each.
func (b *bench) turns(ctx context.Context, candidates ...candidate) ([][]load, error) {
	all := make([][]load, len(candidates))
	gaveUp := make([]bool, len(candidates))
	for round := range b.rounds {
		for i, c := range candidates {
			if gaveUp[i] {
				continue
			}
			l, err := b.turn(ctx, c)
			switch {
			case err != nil && c.gaveUp != nil && ctx.Err() == nil:
				c.gaveUp(err)
				gaveUp[i], all[i] = true, nil
				continue
			case err != nil:
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			b.say("  round %d of %d: %s: %.2f s, %s rows/s", round+1, b.rounds, c.name, l.wall.Seconds(), number(float64(l.rows)/l.wall.Seconds()))
			all[i] = append(all[i], l)
		}
	}
	return all, nil
}

// turn has a candidate load into a fresh database, and checks what is there then.
func (b *bench) turn(ctx context.Context, c candidate) (load, error) {
	d, err := b.server.fresh(ctx)
	if err != nil {
		return load{}, err
	}
	l, err := b.loadInto(ctx, d, c)
	if err != nil {
		return load{}, err
	}
	return l, b.server.drop(ctx, d)
}

func (b *bench) loadInto(ctx context.Context, d database, c candidate) (load, error) {
	if c.prepare != nil {
		if err := c.prepare(ctx, d); err != nil {
			return load{}, err
		}
	}
	if err := b.server.checkpoint(ctx); err != nil {
		return load{}, err
	}
	u, err := c.command(d).run(ctx)
	if err != nil {
		return load{}, err
	}
	there, err := ask[int](ctx, d, "select count(*) from user_events")
	if err != nil {
		return load{}, err
	}
	l := load{usage: u, rows: c.rows}
	if c.window != nil && there > 0 && there <= c.want {
		l.rows = there
		l.wall, err = c.window(u.stdout)
		return l, err
	}
	if there != c.want {
		return load{}, fmt.Errorf("%d rows are in the table, %d should be", there, c.want)
	}
	return l, nil
}

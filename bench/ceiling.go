package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"os"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// The bare loader: what the database can take at best. It reads, parses just
// enough, and sends binary tuples, sorted by key, by COPY.
const (
	ceilingName        = "ceiling"
	ceilingBatch       = 50_000
	ceilingConnections = 2
)

func newCeiling() *cobra.Command {
	return &cobra.Command{
		Use: ceilingName + " FILE", Short: "Load a file with a bare loader, into the database of the PG* variables",
		Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return loadBare(cmd.Context(), args[0]) },
	}
}

// loadBare loads a file of valid records.
func loadBare(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	batches := make(chan []byte)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		return readBatches(ctx, f, batches)
	})
	for range ceilingConnections {
		g.Go(func() error { return copyBatches(ctx, batches) })
	}
	return g.Wait()
}

// readBatches cuts the text behind the header into whole lines, a batch at a time.
func readBatches(ctx context.Context, r io.Reader, batches chan<- []byte) error {
	const chunk = 64 << 10
	var text []byte
	lines, header := 0, true
	for {
		seen := len(text)
		text = slices.Grow(text, chunk)
		n, err := r.Read(text[seen : seen+chunk])
		text = text[:seen+n]
		for {
			i := bytes.IndexByte(text[seen:], '\n')
			if i < 0 {
				break
			}
			seen += i + 1
			if header {
				text, seen, header = text[seen:], 0, false
				continue
			}
			if lines++; lines == ceilingBatch {
				rest := append(make([]byte, 0, cap(text)), text[seen:]...)
				if err := give(ctx, batches, text[:seen]); err != nil {
					return err
				}
				text, seen, lines = rest, 0, 0
			}
		}
		switch {
		case err == io.EOF && len(text) == 0:
			return nil
		case err == io.EOF:
			return give(ctx, batches, text)
		case err != nil:
			return err
		}
	}
}

func give(ctx context.Context, batches chan<- []byte, batch []byte) error {
	select {
	case batches <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// copyBatches sends batches by a connection of its own, each in a transaction.
func copyBatches(ctx context.Context, batches <-chan []byte) error {
	conn, err := pgconn.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var b tupleBatch
	for text := range batches {
		if err := b.encode(text); err != nil {
			return err
		}
		if _, err := conn.CopyFrom(ctx, b.sorted(), "copy user_events ("+columns+") from stdin binary"); err != nil {
			return err
		}
	}
	return nil
}

// tupleBatch is a batch in the form of COPY; its memory is used again.
type tupleBatch struct {
	tuples []byte
	places []tuplePlace
}

// tuplePlace is where a tuple stands, and its key as two numbers, which compare
// faster than bytes.
type tuplePlace struct {
	high, low  uint64
	start, end int
}

func (b *tupleBatch) encode(text []byte) error {
	b.tuples, b.places = b.tuples[:0], b.places[:0]
	var p tupleParser
	for len(text) > 0 {
		start := len(b.tuples)
		var err error
		if b.tuples, text, err = p.appendTuple(b.tuples, text); err != nil {
			return err
		}
		key := b.tuples[start+keyOffset:]
		b.places = append(b.places, tuplePlace{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]), start, len(b.tuples)})
	}
	slices.SortFunc(b.places, func(x, y tuplePlace) int {
		return cmp.Or(cmp.Compare(x.high, y.high), cmp.Compare(x.low, y.low))
	})
	return nil
}

// sorted gives the tuples by their keys, between COPY's header and end (PostgreSQL
// manual, COPY, "Binary Format").
func (b *tupleBatch) sorted() io.Reader {
	out := make([]byte, 0, len(b.tuples)+len(copyHeader)+len(copyEnd))
	out = append(out, copyHeader...)
	for _, p := range b.places {
		out = append(out, b.tuples[p.start:p.end]...)
	}
	return bytes.NewReader(append(out, copyEnd...))
}

const (
	copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd    = "\xff\xff"
)

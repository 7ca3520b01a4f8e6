package postgresio

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() { Register[event]() }

// event is as wide as the rows that the product loads.
type event struct {
	ID       uuid.UUID        `db:"event_id"`
	User     string           `db:"user_id"`
	Product  string           `db:"product_id"`
	Name     string           `db:"product_name"`
	Category string           `db:"product_category"`
	Type     string           `db:"event_type"`
	Price    *decimal.Decimal `db:"price"`
	At       time.Time        `db:"event_timestamp"`
}

const eventTable = `create table events (event_id uuid primary key, user_id text not null, product_id text not null, product_name text,
	product_category text, event_type text not null, price numeric(12,2), event_timestamp timestamptz not null, ingested_at timestamptz default now())`

func eventOf(i int) event {
	e := event{
		User: fmt.Sprintf("USER_%06d", i%1000), Product: fmt.Sprintf("PROD_%06d", i%50), Name: "Wireless Headphones",
		Category: "Electronics", Type: "view", At: time.UnixMicro(1_770_000_000_000_000 + int64(i)).UTC(),
	}
	e.ID = uuid.NewMD5(uuid.Nil, binary.BigEndian.AppendUint64(nil, uint64(i)))
	if i%3 == 0 {
		e.Type, e.Price = "purchase", price("19.99")
	}
	return e
}

// BenchmarkLoad loads batches of 50,000 rows, from records in memory to
// committed. An operation is a row.
func BenchmarkLoad(b *testing.B) {
	byVersion := WithUpsert(Upsert{Version: "event_timestamp"})
	for _, c := range []struct {
		name  string
		there float64 // the share of the rows that are there already
		older time.Duration
		opts  []Option
		// bad is how many rows there are for each that PostgreSQL refuses; 0 is none.
		bad int
	}{
		{"new rows", 0, 0, nil, 0},
		{"duplicates", 1, 0, nil, 0},
		{"one of 10,000 refused", 0, 0, nil, 10_000},
		{"one of 100 refused", 0, 0, nil, 100},
		{"all refused", 0, 0, nil, 1},
		{"upserts by version, new rows", 0, 0, []Option{byVersion}, 0},
		{"upserts by version, half there", 0.5, time.Second, []Option{byVersion}, 0},
		{"upserts by version, half there and newer", 0.5, -time.Second, []Option{byVersion}, 0},
		{"upserts in order, half there", 0.5, 0, []Option{WithUpsert(Upsert{})}, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			fn := benchSink(b, c.opts...)
			there := benchRanges(b.N, "there", c.older, 0, func(i int) bool { return float64(i%10) < 10*c.there })
			send(b, fn, there)
			ranges := benchRanges(b.N, "new", 0, c.bad, func(int) bool { return true })
			b.ResetTimer()
			send(b, fn, ranges)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// send loads ranges.
func send(b *testing.B, fn *loadFn[event], records []*record.Record[event]) {
	b.Helper()
	for _, r := range records {
		if err := fn.ProcessElement(context.Background(), r, ignoreRange); err != nil {
			b.Fatal(err)
		}
	}
	if err := fn.FinishBundle(context.Background(), ignoreRange); err != nil {
		b.Fatal(err)
	}
}

// benchSink is a sink into an empty table.
func benchSink(b *testing.B, opts ...Option) *loadFn[event] {
	b.Helper()
	db := SetURL(b.Name(), pgtest.Database(b))
	if err := Migrate(context.Background(), db, eventTable); err != nil {
		b.Fatal(err)
	}
	opts = append(opts, WithRun(uuid.NewString()), WithDatabase(db), WithFlush(50_000, time.Hour), WithMaxRejectedFiles(0))
	fn := &loadFn[event]{Options: newLoadOptions("events", opts)}
	if err := fn.Setup(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = fn.Teardown() })
	return fn
}

// benchRanges are those of n events that are wanted, in ranges of 10,000.
func benchRanges(n int, name string, older time.Duration, bad int, wanted func(int) bool) (records []*record.Record[event]) {
	const each = 10_000
	for from := 0; from < n; from += each {
		var values []any
		for i := from; i < min(from+each, n); i++ {
			if wanted(i) {
				e := eventOf(i)
				e.At = e.At.Add(-older)
				if bad > 0 && i%bad == bad/2 {
					e.Price = price("99999999999.99") // numeric(12,2) has ten digits before the point
				}
				values = append(values, e)
			}
		}
		records = append(records, wholeRange[event](record.File{Path: fmt.Sprint(name, from), Size: each * 120}, values...)...)
	}
	return records
}

// BenchmarkEncode turns rows into tuples of COPY's binary form.
func BenchmarkEncode(b *testing.B) {
	fields, err := fieldsOf(reflect.TypeFor[event]())
	if err != nil {
		b.Fatal(err)
	}
	tab := &table{name: "events"}
	for i, f := range fields {
		tab.columns = append(tab.columns, column{name: f.column, typeOID: []uint32{
			pgtype.UUIDOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.NumericOID, pgtype.TimestamptzOID,
		}[i]})
	}
	tab.key = tableKey{columns: tab.columns[:1], places: []int{0}, uuid: true}
	enc, err := newRowEncoder(fields, tab, pgtype.NewMap())
	if err != nil {
		b.Fatal(err)
	}
	e := eventOf(3)
	dst, refused := enc.appendTuple(nil, pointerTo(&e))
	if refused != nil {
		b.Fatal(refused)
	}
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = enc.appendTuple(dst[:0], pointerTo(&e))
	}
}

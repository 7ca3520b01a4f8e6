// Command orders loads CSV files of orders into the table shop.orders: another
// struct, table and rules than the product's own.
//
//	DATABASE_URL=postgres://me@localhost/shop go run ./examples/orders 'orders-*.csv'
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cartstream/cartstream/pipeline"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// Order is a line of the files, and a row of the table.
type Order struct {
	Shop      string           `csv:"shop" db:"shop"`
	Number    string           `csv:"order_no" db:"order_no"`
	Paid      bool             `csv:"paid" db:"paid"`
	Items     int32            `csv:"items" db:"items"`
	Points    *int64           `csv:"points,optional" db:"points"`
	Delivered *time.Time       `csv:"delivered,date" db:"delivered"`
	Total     decimal.Decimal  `csv:"total" db:"total"`
	Details   *json.RawMessage `csv:"details" db:"details"`
}

// Rules are what an order must be like.
type Rules struct{ MaxItems int32 }

// Apply refuses orders of nothing or of too much, and late payers' deliveries.
func (r Rules) Apply(now time.Time, o Order) (Order, error) {
	switch {
	case o.Items < 1 || o.Items > r.MaxItems:
		return o, &record.Fault{Code: "wrong_items", Column: "items", Message: "allowed are 1 to the most that a parcel holds"}
	case o.Delivered != nil && o.Delivered.After(now):
		return o, &record.Fault{Code: "future_delivery", Column: "delivered", Message: "allowed is up to today"}
	}
	return o, nil
}

func init() { pipeline.Register[Order, Rules]() }

//go:embed table.sql
var table string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	_, err := load(ctx, os.Args[1:], pipeline.DatabaseAt(""), pipeline.RunnerDirect)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// load loads what is there, and ends when ctx does, with what is in hand
// committed.
func load(ctx context.Context, patterns []string, db pipeline.Database, runner string) (pipeline.Totals, error) {
	s := pipeline.DefaultSettings()
	s.Streaming.Input, s.Postgres.Table = patterns, "shop.orders"
	flow := pipeline.Flow[Order, Rules]{
		Rules: Rules{MaxItems: 100}, Tables: []string{table},
		Options: pipeline.Options{Settings: s, Database: db, AvailableNow: true, Runner: runner},
	}
	if err := flow.Prepare(ctx); err != nil {
		return pipeline.Totals{}, err
	}
	return flow.Run(context.Background(), ctx.Done())
}

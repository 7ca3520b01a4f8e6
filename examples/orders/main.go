// Command orders loads CSV files of orders into the table shop.orders that
// DATABASE_URL has: go run ./examples/orders 'orders-*.csv'
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"log"
	"log/slog"
	"os"
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

// Apply refuses what no parcel holds.
func (r Rules) Apply(_ time.Time, o Order) (Order, error) {
	if o.Items < 1 || o.Items > r.MaxItems {
		return o, &record.Fault{Code: "wrong_items", Column: "items", Message: "allowed are 1 to the most that a parcel holds"}
	}
	return o, nil
}

func init() { pipeline.Register[Order, Rules]() }

//go:embed table.sql
var table string

func main() {
	pipeline.Init(slog.NewTextHandler(os.Stderr, nil))
	s := pipeline.DefaultSettings()
	s.Streaming.Input, s.Postgres.Table = os.Args[1:], "shop.orders"
	options := pipeline.Options{Settings: s, Database: pipeline.DatabaseOf(s), AvailableNow: true}
	flow := pipeline.Flow[Order, Rules]{Rules: Rules{MaxItems: 100}, Tables: []string{table}, Options: options}
	ctx := context.Background()
	if err := flow.Prepare(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := flow.Run(ctx, nil); err != nil {
		log.Fatal(err)
	}
}

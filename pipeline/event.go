package pipeline

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
)

func init() {
	Register[Event, EventRules]()
}

// Events is the pipeline for events, into the table of the settings. It makes
// the table user_events, and no other.
func Events(o Options) Flow[Event, EventRules] {
	f := Flow[Event, EventRules]{
		Rules:   EventRules{FutureTolerance: o.Settings.Validation.FutureTolerance.Duration()},
		Options: o,
	}
	if t := o.Settings.Postgres.Table; t == "user_events" || t == "public.user_events" {
		f.Tables = []string{strings.ReplaceAll(eventsTable, "user_events", t)}
	}
	return f
}

// Event is what a user did in the shop: a line of the files, and a row of the
// table.
type Event struct {
	EventID         uuid.UUID        `csv:"event_id" db:"event_id"`
	UserID          string           `csv:"user_id" db:"user_id"`
	ProductID       string           `csv:"product_id" db:"product_id"`
	ProductName     string           `csv:"product_name" db:"product_name"`
	ProductCategory string           `csv:"product_category" db:"product_category"`
	EventType       string           `csv:"event_type" db:"event_type"`
	Price           *decimal.Decimal `csv:"price" db:"price"`
	EventTimestamp  time.Time        `csv:"event_timestamp" db:"event_timestamp"`
}

// The types of events.
const (
	EventView     = "view"
	EventPurchase = "purchase"
)

// eventsTable makes the table of the events where it is not there yet. It
// looks first, because CREATE TABLE IF NOT EXISTS needs the right to create
// even where there is nothing to do.
const eventsTable = `do $$ begin
if to_regclass('user_events') is null then
	create table user_events (
		event_id uuid primary key,
		user_id text not null,
		product_id text not null,
		product_name text,
		product_category text,
		event_type text not null,
		price numeric(12,2),
		event_timestamp timestamptz not null,
		ingested_at timestamptz not null default now()
	);
end if;
end $$`

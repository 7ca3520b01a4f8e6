package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

var now = time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)

// goodEvent is an event that every rule accepts as it is.
func goodEvent() Event {
	return Event{
		EventID: uuid.MustParse("38f9045a-d91d-5386-9bca-30576879af99"),
		UserID:  "USER_000001", ProductID: "PROD_000005", ProductName: `27" Monitor`, ProductCategory: "Electronics",
		EventType: EventPurchase, Price: price("129.90"), EventTimestamp: now.Add(-time.Minute),
	}
}

func price(s string) *decimal.Decimal {
	d, err := decimal.Parse(s)
	if err != nil {
		panic(err)
	}
	return &d
}

func TestEventsThatTheRulesAccept(t *testing.T) {
	for _, c := range []struct {
		name         string
		given, wants func(*Event)
	}{
		{"as it is", func(*Event) {}, func(*Event) {}},
		{
			"strings are trimmed, inside they stay",
			func(e *Event) {
				e.UserID, e.ProductID, e.ProductName, e.ProductCategory, e.EventType = " u 1 ", "\tp", "n  n\n", "\u00a0c\u2003", " purchase\r"
			},
			func(e *Event) { e.UserID, e.ProductID, e.ProductName, e.ProductCategory = "u 1", "p", "n  n", "c" },
		},
		{"type in capitals", func(e *Event) { e.EventType = "PURCHASE" }, func(*Event) {}},
		{"type in any case", func(e *Event) { e.EventType = "pUrChAsE" }, func(*Event) {}},
		{
			"a view has no price", func(e *Event) { e.EventType = "View" },
			func(e *Event) { e.EventType, e.Price = EventView, nil },
		},
		{
			"a view that never had one", func(e *Event) { e.EventType, e.Price = "view", nil },
			func(e *Event) { e.EventType, e.Price = EventView, nil },
		},
		{"a purchase for nothing", func(e *Event) { e.Price = price("0.00") }, func(e *Event) { e.Price = price("0.00") }},
		{"a purchase for minus nothing", func(e *Event) { e.Price = price("-0") }, func(e *Event) { e.Price = price("0") }},
		{"a purchase without a price", func(e *Event) { e.Price = nil }, func(e *Event) { e.Price = nil }},
		{
			"no name and no category", func(e *Event) { e.ProductName, e.ProductCategory = "", "  " },
			func(e *Event) { e.ProductName, e.ProductCategory = "", "" },
		},
		{"this very moment", func(e *Event) { e.EventTimestamp = now }, func(e *Event) { e.EventTimestamp = now }},
		{"long ago", func(e *Event) { e.EventTimestamp = time.Unix(0, 0) }, func(e *Event) { e.EventTimestamp = time.Unix(0, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			given, want := goodEvent(), goodEvent()
			c.given(&given)
			c.wants(&want)
			got, err := EventRules{}.Apply(now, given)
			if err != nil {
				t.Fatal(err)
			}
			if (got.Price == nil) != (want.Price == nil) || got.Price != nil && got.Price.Cmp(*want.Price) != 0 {
				t.Errorf("price %v, want %v", got.Price, want.Price)
			}
			got.Price, want.Price = nil, nil
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEventsThatARuleRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		given func(*Event)
		fault record.Fault
	}{
		{
			"no user", func(e *Event) { e.UserID = "" },
			record.Fault{Code: record.CodeMissingValue, Column: "user_id", Message: "the value is empty; it is required"},
		},
		{
			"a user of spaces", func(e *Event) { e.UserID = " \t\u00a0" },
			record.Fault{Code: record.CodeMissingValue, Column: "user_id", Message: "the value is empty; it is required"},
		},
		{
			"no product", func(e *Event) { e.ProductID = "" },
			record.Fault{Code: record.CodeMissingValue, Column: "product_id", Message: "the value is empty; it is required"},
		},
		{
			"no type", func(e *Event) { e.EventType = " " },
			record.Fault{Code: record.CodeMissingValue, Column: "event_type", Message: "the value is empty; it is required"},
		},
		{
			"another type", func(e *Event) { e.EventType = " Click " },
			record.Fault{Code: record.CodeInvalidEventType, Column: "event_type", Message: `found "Click", allowed are view and purchase`},
		},
		{
			"a type that only looks right", func(e *Event) { e.EventType = "v\u0456ew" },
			record.Fault{Code: record.CodeInvalidEventType, Column: "event_type", Message: "found \"v\u0456ew\", allowed are view and purchase"},
		},
		{
			"a price below 0", func(e *Event) { e.Price = price("-50.00") },
			record.Fault{Code: record.CodeNegativePrice, Column: "price", Message: "found -50.00, allowed is 0 or more"},
		},
		{
			"a view's price below 0", func(e *Event) { e.EventType, e.Price = "view", price("-0.01") },
			record.Fault{Code: record.CodeNegativePrice, Column: "price", Message: "found -0.01, allowed is 0 or more"},
		},
		{
			"the year 2099", func(e *Event) { e.EventTimestamp = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) },
			record.Fault{
				Code: record.CodeFutureTimestamp, Column: "event_timestamp",
				Message: "found 2099-01-01T00:00:00Z, allowed is up to 2026-01-29T10:00:00Z",
			},
		},
		{
			"a microsecond ahead", func(e *Event) { e.EventTimestamp = now.Add(time.Microsecond) },
			record.Fault{
				Code: record.CodeFutureTimestamp, Column: "event_timestamp",
				Message: "found 2026-01-29T10:00:00.000001Z, allowed is up to 2026-01-29T10:00:00Z",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := goodEvent()
			c.given(&given)
			_, err := EventRules{}.Apply(now, given)
			var fault *record.Fault
			if !errors.As(err, &fault) || *fault != c.fault {
				t.Errorf("got  %v\nwant %v", err, &c.fault)
			}
		})
	}
}

// All flaws at once: each rule that is mended shows the next one.
func TestTheFirstRuleThatFailsWins(t *testing.T) {
	e := Event{EventType: "", Price: price("-1"), EventTimestamp: now.Add(time.Hour)}
	for _, step := range []struct {
		code, column string
		mend         func()
	}{
		{record.CodeMissingValue, "user_id", func() { e.UserID = "u" }},
		{record.CodeMissingValue, "product_id", func() { e.ProductID = "p" }},
		{record.CodeMissingValue, "event_type", func() { e.EventType = "click" }},
		{record.CodeInvalidEventType, "event_type", func() { e.EventType = "purchase" }},
		{record.CodeNegativePrice, "price", func() { e.Price = nil }},
		{record.CodeFutureTimestamp, "event_timestamp", func() { e.EventTimestamp = now }},
	} {
		_, err := EventRules{}.Apply(now, e)
		var fault *record.Fault
		if !errors.As(err, &fault) || fault.Code != step.code || fault.Column != step.column {
			t.Fatalf("got %v, want %s of %s", err, step.code, step.column)
		}
		step.mend()
	}
	if _, err := (EventRules{}).Apply(now, e); err != nil {
		t.Error(err)
	}
}

func TestFutureTolerance(t *testing.T) {
	for _, c := range []struct {
		name             string
		tolerance, ahead time.Duration
		accepted         bool
	}{
		{"none", 0, time.Microsecond, false},
		{"within", time.Minute, 59 * time.Second, true},
		{"exactly", time.Minute, time.Minute, true},
		{"beyond", time.Minute, time.Minute + time.Microsecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := goodEvent()
			e.EventTimestamp = now.Add(c.ahead)
			if _, err := (EventRules{FutureTolerance: c.tolerance}).Apply(now, e); (err == nil) != c.accepted {
				t.Errorf("got %v", err)
			}
		})
	}
}

// An event is handed on by value, but its price by pointer: the rules must not
// change what they were given.
func TestRulesLeaveTheirInputAlone(t *testing.T) {
	given := goodEvent()
	given.EventType, given.UserID = "VIEW", " u "
	if _, err := (EventRules{}).Apply(now, given); err != nil {
		t.Fatal(err)
	}
	if given.Price == nil || given.Price.String() != "129.90" || given.EventType != "VIEW" || given.UserID != " u " {
		t.Errorf("the input is now %+v", given)
	}
}

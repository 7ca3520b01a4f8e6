package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// EventRules decide whether an event is valid, and make it uniform. What can't
// be parsed at all (a price that is no number, a timestamp that is none) was
// found before, when the line was read.
type EventRules struct {
	// FutureTolerance is how far ahead of the clock a timestamp may be.
	FutureTolerance time.Duration
}

// Apply trims all strings, stores the type in lower case, and takes the price
// from a view. The first rule that fails decides: required values, the type,
// the price, the time.
func (r EventRules) Apply(now time.Time, e Event) (Event, error) {
	for _, s := range []*string{&e.UserID, &e.ProductID, &e.ProductName, &e.ProductCategory, &e.EventType} {
		*s = strings.TrimSpace(*s)
	}
	for _, required := range []struct{ column, value string }{
		{"user_id", e.UserID}, {"product_id", e.ProductID}, {"event_type", e.EventType},
	} {
		if required.value == "" {
			return e, &record.Fault{Code: record.CodeMissingValue, Column: required.column, Message: "the value is empty; it is required"}
		}
	}
	switch {
	case e.EventType == EventView, e.EventType == EventPurchase:
	case strings.EqualFold(e.EventType, EventView):
		e.EventType = EventView
	case strings.EqualFold(e.EventType, EventPurchase):
		e.EventType = EventPurchase
	default:
		return e, &record.Fault{
			Code: record.CodeInvalidEventType, Column: "event_type",
			Message: fmt.Sprintf("found %.64q, allowed are view and purchase", e.EventType),
		}
	}
	if e.Price != nil && e.Price.Sign() < 0 {
		return e, &record.Fault{Code: record.CodeNegativePrice, Column: "price", Message: fmt.Sprintf("found %s, allowed is 0 or more", e.Price)}
	}
	if e.EventType == EventView {
		e.Price = nil
	}
	if latest := now.Add(r.FutureTolerance); e.EventTimestamp.After(latest) {
		return e, &record.Fault{
			Code: record.CodeFutureTimestamp, Column: "event_timestamp",
			Message: fmt.Sprintf("found %s, allowed is up to %s", e.EventTimestamp.Format(time.RFC3339Nano), latest.UTC().Format(time.RFC3339Nano)),
		}
	}
	return e, nil
}

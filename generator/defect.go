package generator

import (
	"strings"
	"time"
)

// The codes of the dead letters that a load makes of bad records: the keys of
// the manifest's counts, and a contract with whoever reads the manifest.
const (
	codeMalformedCSV     = "malformed_csv"
	codeWrongFieldCount  = "wrong_field_count"
	codeInvalidEncoding  = "invalid_encoding"
	codeMissingValue     = "missing_value"
	codeInvalidUUID      = "invalid_uuid"
	codeInvalidNumber    = "invalid_number"
	codeInvalidTimestamp = "invalid_timestamp"
	codeInvalidEventType = "invalid_event_type"
	codeNegativePrice    = "negative_price"
	codeFutureTimestamp  = "future_timestamp"
)

// defect is one way for a record to be bad, and in that way only: the code does
// not depend on which check comes first.
type defect struct {
	code string
	// damage gets the encoded columns of a good record, which it may change, and
	// returns those to write.
	damage func(fields []string) []string
}

func (d defect) appendTo(dst []byte, fields []string) []byte {
	dst = append(dst, strings.Join(d.damage(fields), ",")...)
	return append(dst, '\n')
}

// invalidDefects leave a proper CSV record that breaks a rule.
var invalidDefects = []defect{
	{codeInvalidEventType, set(colEventType, "click")},
	{codeNegativePrice, purchaseAt("-50.00")},
	{codeMissingValue, set(colUserID, "")},
	{codeInvalidUUID, set(colEventID, "not-a-uuid")},
	{codeInvalidNumber, purchaseAt("abc")},
	{codeInvalidTimestamp, set(colEventTimestamp, "not-a-time")},
}

// corruptDefects leave something that is no proper CSV record of this header,
// and no more than one line of it: a quote that is left open would take the
// lines after it along.
var corruptDefects = []defect{
	{codeWrongFieldCount, func(f []string) []string { return f[:colEventType] }},
	{codeMalformedCSV, func(f []string) []string {
		f[colUserID] = `"` + f[colUserID] + `"x`
		return f
	}},
	{codeInvalidEncoding, set(colProductName, "Caf\xe9 Cups")}, // ISO 8859-1
	{codeWrongFieldCount, func(f []string) []string { return append(f, "surplus", "") }},
}

func set(column int, value string) func([]string) []string {
	return func(f []string) []string {
		f[column] = value
		return f
	}
}

// purchaseAt sets the price of a purchase: a view's price may be ignored.
func purchaseAt(price string) func([]string) []string {
	return func(f []string) []string {
		f[colEventType], f[colPrice] = typePurchase, price
		return f
	}
}

// rotation deals out defects in turn, so that a small run has all of them.
type rotation struct {
	defects []defect
	dealt   int
}

func (r *rotation) next() defect {
	d := r.defects[r.dealt%len(r.defects)]
	r.dealt++
	return d
}

var startOf2099 = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// inFuture moves a time into the year 2099, by whole days: times that differ
// still do.
func inFuture(micros int64) int64 {
	const year = 365 * microsPerDay
	return startOf2099 + micros%year
}

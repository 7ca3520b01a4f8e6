package transforms_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	transforms.Register[item]()
	transforms.RegisterRules[item, itemRules]()
}

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "direct") }

type item struct {
	Name  string
	Price int
}

// itemRules trims the name, refuses a name that is empty or too long and
// prices below 0, and knows a date on which nothing may be sold.
type itemRules struct{ MaxName int }

var errTooLong = errors.New("the name is too long")

func (r itemRules) Apply(now time.Time, v item) (item, error) {
	v.Name = strings.TrimSpace(v.Name)
	switch {
	case v.Name == "":
		return v, &record.Fault{Code: record.CodeMissingValue, Column: "name", Message: "is empty"}
	case v.Price < 0:
		fault := &record.Fault{Code: record.CodeNegativePrice, Column: "price", Message: "is below 0"}
		return v, fmt.Errorf("wrapped: %w", fault)
	case len(v.Name) > r.MaxName:
		return v, errTooLong
	case v.Name == "nil fault":
		var none *record.Fault
		return v, none
	case v.Name == "clock" && time.Since(now).Abs() > time.Minute:
		return v, fmt.Errorf("the clock stands at %v", now)
	}
	return v, nil
}

var (
	rng = &record.Range{
		File: record.File{Path: "in/a.csv", Size: 70, Modified: 5}, Fingerprint: "f",
		Start: 10, End: 70, FirstLine: 2, Records: 3, Last: true, Header: []byte("name,price"),
	}
	source  = record.Source{Range: rng, Line: 7, Offset: 42}
	raw     = []byte("raw,bytes")
	oldFlaw = &record.Fault{Code: record.CodeMalformedCSV, Message: "stray quote"}
)

func value(name string, price int) *record.Record[item] {
	return &record.Record[item]{Kind: record.KindValue, Source: source, Raw: raw, Value: item{name, price}}
}

func fault(code, column, message string) *record.Record[item] {
	f := &record.Fault{Code: code, Column: column, Message: message}
	return &record.Record[item]{Kind: record.KindFault, Source: source, Raw: raw, Fault: f}
}

func marker(kind record.Kind, f *record.Fault) *record.Record[item] {
	return &record.Record[item]{Kind: kind, Source: source, Fault: f}
}

func letter(code, column, message string) record.DeadLetter {
	return record.DeadLetter{
		File: rng.File, Line: 7, Offset: 42, Raw: raw,
		Fault: record.Fault{Code: code, Column: column, Message: message},
	}
}

// cases say what becomes of a record on every way through the package.
var cases = []struct {
	name  string
	in    *record.Record[item]
	valid *record.Record[item]
	// values and dead are what Split gives for valid.
	values []any
	dead   []any
}{
	{
		name: "a value that the rules accept passes",
		in:   value("lamp", 3), valid: value("lamp", 3), values: []any{item{"lamp", 3}},
	},
	{
		name: "a value that the rules change leaves changed",
		in:   value("  lamp ", 3), valid: value("lamp", 3), values: []any{item{"lamp", 3}},
	},
	{
		name:  "a value that a rule refuses becomes a fault with code and column",
		in:    value("  ", 3),
		valid: fault(record.CodeMissingValue, "name", "is empty"),
		dead:  []any{letter(record.CodeMissingValue, "name", "is empty")},
	},
	{
		name:  "a fault that a rule wraps keeps its code and column",
		in:    value("lamp", -1),
		valid: fault(record.CodeNegativePrice, "price", "is below 0"),
		dead:  []any{letter(record.CodeNegativePrice, "price", "is below 0")},
	},
	{
		name:  "any other error is an invalid value",
		in:    value(strings.Repeat("x", 11), 1),
		valid: fault(record.CodeInvalidValue, "", errTooLong.Error()),
		dead:  []any{letter(record.CodeInvalidValue, "", errTooLong.Error())},
	},
	{
		name:  "a nil fault is a refusal all the same",
		in:    value("nil fault", 1),
		valid: fault(record.CodeInvalidValue, "", "refused by a rule that gave no reason"),
		dead:  []any{letter(record.CodeInvalidValue, "", "refused by a rule that gave no reason")},
	},
	{
		name: "the rules are given the time of day",
		in:   value("clock", 1), valid: value("clock", 1), values: []any{item{"clock", 1}},
	},
	{
		name: "the rules are given the time at which the range was begun",
		in:   judgedLongAgo(value("clock", 1)),
		valid: judgedLongAgo(fault(record.CodeInvalidValue, "",
			fmt.Sprintf("the clock stands at %v", time.UnixMicro(longAgo)))),
		dead: []any{letter(record.CodeInvalidValue, "", fmt.Sprintf("the clock stands at %v", time.UnixMicro(longAgo)))},
	},
	{
		name:  "a fault is not looked at by the rules",
		in:    fault(oldFlaw.Code, "", oldFlaw.Message),
		valid: fault(oldFlaw.Code, "", oldFlaw.Message),
		dead:  []any{letter(oldFlaw.Code, "", oldFlaw.Message)},
	},
	{
		name: "the end of a range passes untouched",
		in:   marker(record.KindRangeEnd, nil), valid: marker(record.KindRangeEnd, nil),
	},
	{
		name: "a failed file passes untouched and is no dead letter",
		in:   marker(record.KindFileFailed, oldFlaw), valid: marker(record.KindFileFailed, oldFlaw),
	},
	{
		name: "a superseded range passes untouched",
		in:   marker(record.KindSuperseded, nil), valid: marker(record.KindSuperseded, nil),
	},
	{
		name: "an unreadable range passes untouched and is no dead letter",
		in:   marker(record.KindUnreadable, oldFlaw), valid: marker(record.KindUnreadable, oldFlaw),
	},
}

const longAgo = 1_000_000_000_123_456

func judgedLongAgo(r *record.Record[item]) *record.Record[item] {
	begun := *r.Source.Range
	begun.JudgedAt = longAgo
	r.Source.Range = &begun
	return r
}

func TestValidate(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			out := transforms.Validate[item](s, beam.Create(s, c.in), itemRules{MaxName: 10})
			passert.Equals(s, out, c.valid)
			ptest.RunAndValidate(t, p)
		})
	}
}

func TestDeadLetters(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			equals(s, transforms.DeadLetters[item](s, beam.Create(s, c.valid)), c.dead)
			ptest.RunAndValidate(t, p)
		})
	}
}

func TestSplit(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			values, dead := transforms.Split[item](s, beam.Create(s, c.valid))
			equals(s, values, c.values)
			equals(s, dead, c.dead)
			ptest.RunAndValidate(t, p)
		})
	}
}

// equals is passert.Equals that takes "nothing" for an answer.
func equals(s beam.Scope, got beam.PCollection, want []any) {
	if len(want) == 0 {
		passert.Empty(s, got)
		return
	}
	passert.Equals(s, got, want...)
}

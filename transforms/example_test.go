package transforms_test

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Function1x0(printRecord)
	register.Function1x0(printItem)
	register.Function1x0(printLetter)
}

func printRecord(r *record.Record[item]) {
	if r.Kind == record.KindFault {
		fmt.Println("line", r.Source.Line, r.Fault)
		return
	}
	fmt.Println("line", r.Source.Line, r.Value)
}

func printItem(v item)                { fmt.Println("value", v) }
func printLetter(l record.DeadLetter) { fmt.Println("dead letter", l.File.Path, l.Line, l.Fault.Code) }

func ExampleValidate() {
	p, s := beam.NewPipelineWithRoot()
	records := beam.Create(s, value(" lamp ", 3), value("chair", -1))
	beam.ParDo0(s, printRecord, transforms.Validate[item](s, records, itemRules{MaxName: 10}))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// line 7 {lamp 3}
	// line 7 negative_price: column price: is below 0
}

func ExampleDeadLetters() {
	p, s := beam.NewPipelineWithRoot()
	records := beam.Create(s, value("lamp", 3), fault(record.CodeMalformedCSV, "", "stray quote"))
	beam.ParDo0(s, printLetter, transforms.DeadLetters[item](s, records))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: dead letter in/a.csv 7 malformed_csv
}

func ExampleSplit() {
	p, s := beam.NewPipelineWithRoot()
	records := beam.Create(s, value("lamp", 3), fault(record.CodeMalformedCSV, "", "stray quote"))
	values, dead := transforms.Split[item](s, records)
	beam.ParDo0(s, printItem, values)
	beam.ParDo0(s, printLetter, dead)
	if _, err := direct.Execute(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// value {lamp 3}
	// dead letter in/a.csv 7 malformed_csv
}

// A type of records, and its rules, are registered where they are defined.
func ExampleRegister() { transforms.Register[item]() }

func ExampleRegisterRules() { transforms.RegisterRules[item, itemRules]() }

// A record is judged outside of a pipeline, by the clock that it was judged by
// before.
func ExampleJudge() {
	now := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	fmt.Println(transforms.Judge(itemRules{MaxName: 10}, now, value(" lamp ", 3)).Value)
	fmt.Println(transforms.Judge(itemRules{MaxName: 10}, now, value("lamp", -3)).Fault)
	// Output:
	// {lamp 3}
	// negative_price: column price: is below 0
}

package csvio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// Sale is a record of a file with the columns sold_at, amount and note.
type Sale struct {
	At     time.Time       `csv:"sold_at"`
	Amount decimal.Decimal `csv:"amount"`
	Note   *string         `csv:"note,optional"`
}

func init() {
	csvio.Register[Sale]()
	register.Function1x0(printSale)
}

func printSale(r *record.Record[Sale]) {
	switch r.Kind {
	case record.KindValue:
		fmt.Printf("line %d: %v at %s\n", r.Source.Line, r.Value.Amount, r.Value.At.Format(time.Kitchen))
	case record.KindFault:
		fmt.Printf("line %d: %v\n", r.Source.Line, r.Fault)
	case record.KindRangeEnd:
		fmt.Printf("%d records\n", r.Source.Range.Records)
	}
}

// Files become ranges, and ranges become records: values, faults, and the
// marker at the end of each range.
func Example() {
	dir, err := os.MkdirTemp("", "csvio")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sales.csv")
	if err := os.WriteFile(path, []byte("sold_at,amount\n2026-01-29 10:00:00,19.99\n2026-01-29 10:05:00,much\n"), 0o600); err != nil {
		panic(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	beam.Init()
	p, s := beam.NewPipelineWithRoot()
	works := beam.Create(s, record.Work{File: record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}})
	ranges := csvio.Split[Sale](s, works)
	beam.ParDo0(s, printSale, csvio.Read[Sale](s, ranges))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		panic(err)
	}
	// Output:
	// line 2: 19.99 at 10:00AM
	// line 3: invalid_number: column amount: found "much"; allowed is an exact decimal number of up to 18 digits
	// 2 records
}

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
	register.Function1x0(printRange)
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
func ExampleRead() {
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

// A version of a file becomes ranges of whole records, here of at most one
// record each.
func ExampleSplit() {
	dir, err := os.MkdirTemp("", "csvio")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sales.csv")
	if err := os.WriteFile(path, []byte("sold_at,amount\n2026-01-29 10:00:00,19.99\n2026-01-29 10:05:00,5\n"), 0o600); err != nil {
		panic(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	beam.Init()
	p, s := beam.NewPipelineWithRoot()
	works := beam.Create(s, record.Work{File: record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}})
	beam.ParDo0(s, printRange, csvio.Split[Sale](s, works, csvio.WithMaxRangeRecords(1)))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		panic(err)
	}
	// Output:
	// range 0: bytes 15 to 41, from line 2
	// range 1: bytes 41 to 63, from line 3
}

func printRange(r record.Range) {
	fmt.Printf("range %d: bytes %d to %d, from line %d\n", r.Index, r.Start, r.End, r.FirstLine)
}

// A type is registered in the init of the file that defines it, as Sale is
// above, so that its records can go from one worker to another. Wrong tags are
// told at once.
func ExampleRegister() {
	type visit struct {
		Page string `csv:"page,omitempty"`
	}
	defer func() { fmt.Println(recover()) }()
	csvio.Register[visit]()
	// Output:
	// csvio: csvio_test.visit.Page: tag csv:"page,omitempty": the options are optional, date and timestamp, as in csv:"page,optional"
}

// The fingerprint is the same as long as ranges and records mean the same.
func ExampleFingerprint() {
	d := csvio.DefaultDialect()
	d.Delimiter = ';'
	fmt.Println(csvio.Fingerprint[Sale]() == csvio.Fingerprint[Sale](csvio.WithDialect(csvio.DefaultDialect())))
	fmt.Println(csvio.Fingerprint[Sale]() == csvio.Fingerprint[Sale](csvio.WithDialect(d)))
	// Output:
	// true
	// false
}

// A dialect is made from the default one.
func ExampleDefaultDialect() {
	d := csvio.DefaultDialect()
	fmt.Printf("%c %c %v %s\n", d.Delimiter, d.Quote, d.Header, d.Encoding)
	// Output: , " true utf-8
}

// A field is quoted where it has to be.
func ExampleAppendField() {
	line := csvio.AppendField(nil, "27\" monitor")
	line = append(line, ',')
	line = csvio.AppendField(line, "plain")
	fmt.Printf("%s\n", line)
	// Output: "27"" monitor",plain
}

// A file is read again, outside of a pipeline, with the ranges it had.
func ExampleReadAgain() {
	dir, err := os.MkdirTemp("", "csvio")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sales.csv")
	if err := os.WriteFile(path, []byte("sold_at,amount\n2026-01-29 10:00:00,19.99\n"), 0o600); err != nil {
		panic(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}
	file := record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
	err = csvio.ReadAgain(context.Background(), file, csvio.Fingerprint[Sale](), func(r *record.Record[Sale]) error {
		printSale(r)
		return nil
	})
	fmt.Println(err)
	// Output:
	// line 2: 19.99 at 10:00AM
	// 1 records
	// <nil>
}

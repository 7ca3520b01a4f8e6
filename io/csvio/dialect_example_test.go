package csvio_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/transforms/record"
)

// A gzipped file without a header, in semicolons: the compression is found out,
// the dialect is said, to Split and Read alike.
func ExampleWithDialect() {
	dir, err := os.MkdirTemp("", "csvio")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, "# till 7\n2026-01-29 10:00:00;19.99;\\N\n2026-01-29 10:05:00;5;'a; b'\n")
	if err := w.Close(); err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "sales")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		panic(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		panic(err)
	}

	d := csvio.DefaultDialect()
	d.Delimiter, d.Quote, d.Comment = ';', '\'', '#'
	d.Header, d.Columns = false, []string{"sold_at", "amount", "note"}
	d.NullValue = []string{`\N`}

	beam.Init()
	p, s := beam.NewPipelineWithRoot()
	works := beam.Create(s, record.Work{File: record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}})
	ranges := csvio.Split[Sale](s, works, csvio.WithDialect(d))
	beam.ParDo0(s, printSale, csvio.Read[Sale](s, ranges, csvio.WithDialect(d)))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		panic(err)
	}
	// Output:
	// line 2: 19.99 at 10:00AM
	// line 3: 5 at 10:05AM
	// 2 records
}

// What is wrong with a dialect is said in the words of the settings.
func ExampleDialect_Validate() {
	d := csvio.DefaultDialect()
	d.Delimiter = 't'
	fmt.Println(d.Validate())
	// Output:
	// delimiter: found 't'; allowed is one ASCII character that is no letter, digit or line end
}

// A file without a header must have the columns that a struct requires.
func ExampleValidateFor() {
	d := csvio.DefaultDialect()
	d.Header, d.Columns = false, []string{"sold_at", "note"}
	fmt.Println(csvio.ValidateFor[Sale](d))
	// Output:
	// columns: the required column "amount" is missing; there are "sold_at", "note"
}

// A tab has a name in settings.
func ExampleParseChar() {
	tab, _ := csvio.ParseChar("tab")
	_, err := csvio.ParseChar("||")
	fmt.Printf("%q, %v\n", tab, err)
	// Output:
	// '\t', found "||"; allowed is one ASCII character, or tab
}

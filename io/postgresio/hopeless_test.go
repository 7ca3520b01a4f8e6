package postgresio

import (
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// A file of nothing but dead letters is loaded, and that is hardly what
// somebody wanted.
func TestFileOfDeadLettersOnlyIsToldOf(t *testing.T) {
	dead := func(n int) (values []any) {
		for range n {
			values = append(values, record.Fault{Code: record.CodeWrongFieldCount, Message: "found 4 fields, the header has 3"})
		}
		return values
	}
	refused := func(n int) (values []any) {
		for i := range n {
			values = append(values, item{ID: id(i), Name: "n", Price: price("99999999")})
		}
		return values
	}
	first := &record.Range{File: testFile("first.csv"), Fingerprint: "f1", Start: 10, End: 500, FirstLine: 2}
	second := &record.Range{File: testFile("second.csv"), Fingerprint: "f1", Start: 500, End: 1000, FirstLine: 12, Index: 1, Last: true}
	for _, c := range []struct {
		name    string
		records []*record.Record[item]
		want    string
	}{
		{"all", wholeRange[item](testFile("all.csv"), dead(10)...), `level=WARN msg="All 10 records of the file are dead letters; the first: found 4 fields, the header has 3" file=all.csv line=2 code=wrong_field_count`},
		{"all that PostgreSQL refuses", wholeRange[item](testFile("refused.csv"), refused(12)...), `msg="All 12 records of the file are dead letters; the first: numeric field overflow`},
		{"refused before the others", wholeRange[item](testFile("mixed.csv"), append(refused(3), dead(9)...)...), `file=mixed.csv line=2 code=rejected_by_database`},
		{"the first range", rangeOf[item](first, dead(10)...), `msg="The first 10 records of the file are dead letters`},
		{"a later range", rangeOf[item](second, dead(10)...), ""},
		{"few", wholeRange[item](testFile("few.csv"), dead(9)...), ""},
		{"all but one", wholeRange[item](testFile("one.csv"), append(dead(20), item{ID: id(100), Name: "n"})...), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			log := captureLog(t)
			newSink[item](w, "items").load(c.records...)
			if got := log.String(); !strings.Contains(got, c.want) || c.want == "" && strings.Contains(got, "of the file are dead letters") {
				t.Errorf("logged %s\nwant %s", got, c.want)
			}
		})
	}
}

package csvio

import (
	"fmt"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Function1x1(describeRecord)
	register.Function1x1(describeRange)
}

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "direct") }

// describeRecord shows a record as passert can compare it.
func describeRecord(r *record.Record[order]) string {
	switch r.Kind {
	case record.KindValue:
		return fmt.Sprintf("line %d offset %d: %s pays %v", r.Source.Line, r.Source.Offset, r.Value.User, r.Value.Price)
	case record.KindFault:
		return fmt.Sprintf("line %d offset %d: %s in %q: %s", r.Source.Line, r.Source.Offset, r.Fault.Code, r.Fault.Column, r.Raw)
	case record.KindRangeEnd:
		return fmt.Sprintf("end after %d records", r.Source.Range.Records)
	case record.KindFileFailed, record.KindUnreadable:
		return r.Fault.Code + " in " + r.Fault.Column
	}
	return fmt.Sprint(r.Kind)
}

func describeRange(r record.Range) string {
	return fmt.Sprintf("%d to %d, line %d, %d records, last %t", r.Start, r.End, r.FirstLine, r.Records, r.Last)
}

const orders = `id,user,price,placed
38f9045a-d91d-5386-9bca-30576879af99,Ann,19.99,2026-01-29 10:00:00.123456
nonsense,Bob,1,2026-01-29 10:00:00
f396fc5c-0127-f96a-3f24-cca8a4fba3cc,"Cid
the second",,2026-01-29T10:00:00Z
`

func TestPipeline(t *testing.T) {
	for _, c := range []struct {
		name            string
		content         string
		ranges, records []any
	}{
		{
			"values, a fault and the range's end", orders,
			[]any{"21 to 206, line 2, 3 records, last true"},
			[]any{
				"line 2 offset 21: Ann pays 19.99",
				`line 3 offset 95: invalid_uuid in "id": nonsense,Bob,1,2026-01-29 10:00:00`,
				"line 4 offset 130: Cid\nthe second pays <nil>",
				"end after 3 records",
			},
		},
		{
			"a compressed file", gzipped(t, orders),
			[]any{"0 to 0, line 1, 0 records, last true"},
			[]any{
				"line 2 offset 21: Ann pays 19.99",
				`line 3 offset 95: invalid_uuid in "id": nonsense,Bob,1,2026-01-29 10:00:00`,
				"line 4 offset 130: Cid\nthe second pays <nil>",
				"end after 3 records",
			},
		},
		{
			"an archive that is cut off", gzipped(t, orders)[:60],
			[]any{"0 to 0, line 1, 0 records, last true"},
			[]any{"corrupt_archive in "},
		},
		{
			"a header that lacks a column", "id,user,price\n",
			[]any{"0 to 0, line 1, 0 records, last true"},
			[]any{"invalid_header in placed"},
		},
		{
			"an empty file", "",
			[]any{"0 to 0, line 1, 0 records, last true"},
			[]any{"end after 0 records"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			works := beam.Create(s, record.Work{File: writeFile(t, c.content)})
			ranges := Split[order](s, works)
			passert.Equals(s, beam.ParDo(s, describeRange, ranges), c.ranges...)
			passert.Equals(s, beam.ParDo(s, describeRecord, Read[order](s, ranges)), c.records...)
			ptest.RunAndValidate(t, p)
		})
	}
}

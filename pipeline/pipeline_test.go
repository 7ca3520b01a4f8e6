package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Function1x1(describeEvent)
	register.Function1x1(describeDeadLetter)
}

const eventsFile = "../testdata/events.csv"

func describeEvent(e Event) string {
	price := "no price"
	if e.Price != nil {
		price = e.Price.String()
	}
	return fmt.Sprintf("%s: %s %s %q, %s, %s, %s at %s", e.EventID.String()[35:], e.UserID, e.ProductID, e.ProductName,
		e.ProductCategory, e.EventType, price, e.EventTimestamp.UTC().Format(time.RFC3339Nano))
}

func describeDeadLetter(d record.DeadLetter) string {
	return fmt.Sprintf("%s line %d: %s in %q: %.50s", filepath.Base(d.File.Path), d.Line, d.Fault.Code, d.Fault.Column, d.Raw)
}

// The whole way of the data but for the database: a file becomes values and
// dead letters.
func TestFileToValuesAndDeadLetters(t *testing.T) {
	for _, rangeBytes := range []int64{100, 8 << 20} {
		t.Run(fmt.Sprint("ranges of ", rangeBytes, " bytes"), func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			ranges := csvio.Split[Event](s, beam.Create(s, record.Work{File: fileAt(t, eventsFile)}), csvio.WithMaxRangeBytes(rangeBytes))
			records := csvio.Read[Event](s, ranges, csvio.WithMaxRangeBytes(rangeBytes))
			values, dead := transforms.Split[Event](s, transforms.Validate[Event](s, records, EventRules{}))
			passert.Equals(s, beam.ParDo(s, describeEvent, values),
				`1: USER_000001 PROD_000001 "Wireless Headphones", Electronics, purchase, 59.99 at 2024-01-29T10:00:00.123456Z`,
				`2: USER_000002 PROD_000002 "27\" Monitor, black", Electronics, view, no price at 2024-01-29T10:00:01Z`,
				`3: USER_000003 PROD_000003 "two\nlines", Books, purchase, 0 at 2024-01-29T10:00:02Z`,
				`4: USER_000004 PROD_000004 "Table Lamp", Home & Garden, view, no price at 2024-01-29T10:00:03Z`,
				`1: USER_000001 PROD_000001 "Wireless Headphones", Electronics, purchase, 59.99 at 2024-01-29T10:00:00.123456Z`,
			)
			passert.Equals(s, beam.ParDo(s, describeDeadLetter, dead),
				`events.csv line 7: invalid_event_type in "event_type": 00000000-0000-4000-8000-000000000005,USER_000005,P`,
				`events.csv line 8: negative_price in "price": 00000000-0000-4000-8000-000000000006,USER_000006,P`,
				`events.csv line 9: future_timestamp in "event_timestamp": 00000000-0000-4000-8000-000000000007,USER_000007,P`,
				`events.csv line 10: wrong_field_count in "": 00000000-0000-4000-8000-000000000008,USER_000008,P`,
			)
			if _, err := direct.Execute(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
	}
}

func fileAt(t *testing.T, path string) record.File {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
}

package csvio

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// purchase is what an e-commerce event looks like.
type purchase struct {
	EventID   uuid.UUID        `csv:"event_id"`
	UserID    string           `csv:"user_id"`
	ProductID string           `csv:"product_id"`
	Product   string           `csv:"product_name"`
	Category  string           `csv:"product_category"`
	Type      string           `csv:"event_type"`
	Price     *decimal.Decimal `csv:"price"`
	At        time.Time        `csv:"event_timestamp"`
}

// purchases is a file of n events; every tenth has a quoted name.
func purchases(n int) string {
	var b strings.Builder
	b.WriteString("event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n")
	for i := range n {
		name, price := "Wireless Headphones", ""
		if i%10 == 0 {
			name = `"Table Lamp, ""Oslo"""`
		}
		if i%3 == 0 {
			price = fmt.Sprintf("%d.%02d", i%300, i%100)
		}
		fmt.Fprintf(&b, "38f9045a-d91d-5386-9bca-%012x,USER_%06d,PROD_%06d,%s,Electronics,view,%s,2026-01-29 10:00:00.%06d\n",
			i, i%1000, i%50, name, price, i%1_000_000)
	}
	return b.String()
}

func BenchmarkScan(b *testing.B) {
	for _, c := range []struct{ name, content string }{
		{"events", "a,b,c\n" + purchases(100_000)},
		{"all quoted", "a,b,c\n" + strings.Repeat("\"one\",\"two\"\"s\",\"and\nthree\"\n", 400_000)},
		{"short lines", "a,b,c\n" + strings.Repeat("1,2,3\n", 1_000_000)},
		{"quotes that are never closed", "a,b,c\n" + strings.Repeat("\",x\",\"\n", 1_000_000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, open := inMemory(c.content)
			b.SetBytes(f.Size)
			for b.Loop() {
				splitWith[abc](b, record.Work{File: f, Fingerprint: Fingerprint[abc]()}, open, windowChunk)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	f, open := inMemory(purchases(rows))
	ranges := splitWith[purchase](b, record.Work{File: f}, open, windowChunk)
	fn := &readFn[purchase]{}
	fn.Setup()
	fn.open = open
	values := 0
	b.SetBytes(f.Size)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range ranges {
			if err := fn.ProcessElement(b.Context(), r, func(r *record.Record[purchase]) { values += int(1 - min(r.Kind, 1)) }); err != nil {
				b.Fatal(err)
			}
		}
	}
	if values != rows*b.N {
		b.Fatalf("%d values of %d", values, rows*b.N)
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

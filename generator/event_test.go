package generator

import (
	"encoding/csv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const timestampLayout = "2006-01-02 15:04:05.000000"

var start = time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)

func TestEventID(t *testing.T) {
	tests := []struct{ name, user, product, timestamp, want string }{
		{"whole seconds", "USER_000001", "PROD_000005", "2026-01-29 10:00:00", "38f9045a-d91d-5386-9bca-30576879af99"},
		{"microseconds", "USER_001000", "PROD_000050", "2026-01-29 10:00:00.123456", "f396fc5c-0127-f96a-3f24-cca8a4fba3cc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(appendUUID(nil, EventID(tt.user, tt.product, tt.timestamp))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAppendEvent(t *testing.T) {
	at := start.Add(123456 * time.Microsecond).UnixMicro()
	monitor := uint32(slices.IndexFunc(Products(), func(p Product) bool { return p.Name == `27" Monitor` }))
	tests := []struct {
		name string
		ev   event
		want string
	}{
		{
			"a view has no price",
			event{micros: at, user: 999, product: 49},
			"f396fc5c-0127-f96a-3f24-cca8a4fba3cc,USER_001000,PROD_000050,Coffee Maker,Kitchen,view,,2026-01-29 10:00:00.123456\n",
		},
		{
			"cents keep their zero",
			event{micros: at, cents: 13005, user: 999, product: 49},
			"f396fc5c-0127-f96a-3f24-cca8a4fba3cc,USER_001000,PROD_000050,Coffee Maker,Kitchen,purchase,130.05,2026-01-29 10:00:00.123456\n",
		},
		{
			"quotes are doubled",
			event{micros: at, cents: 899, product: monitor},
			"1f382360-5c1b-e2a0-876e-edfd841bbaac,USER_000001,PROD_000005,\"27\"\" Monitor\",Electronics,purchase,8.99,2026-01-29 10:00:00.123456\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEncoder()
			if got := string(e.appendEvent(nil, tt.ev)); got != tt.want {
				t.Errorf("got  %swant %s", got, tt.want)
			}
			if got := strings.Join(e.fields(tt.ev), ",") + "\n"; got != tt.want {
				t.Errorf("as columns: got  %swant %s", got, tt.want)
			}
		})
	}
}

func TestHeaderNamesTheColumns(t *testing.T) {
	got, err := csv.NewReader(strings.NewReader(header)).Read()
	if err != nil {
		t.Fatal(err)
	}
	want := make([]string, columns)
	want[colEventID], want[colUserID], want[colProductID], want[colProductName] = "event_id", "user_id", "product_id", "product_name"
	want[colProductCategory], want[colEventType], want[colPrice] = "product_category", "event_type", "price"
	want[colEventTimestamp] = "event_timestamp"
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAppendTimestamp(t *testing.T) {
	times := []time.Time{
		time.UnixMicro(0), start, start.Add(-time.Microsecond), start.Add(123456 * time.Microsecond),
		time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC), time.Date(2024, 3, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2099, 12, 31, 1, 2, 3, 4000, time.UTC),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		times = append(times, time.UnixMicro(rng.Int64N(startOf2099)))
	}
	var c dateCache
	for _, at := range times {
		want := at.UTC().Format(timestampLayout)
		if got := string(c.appendTimestamp(nil, at.UnixMicro())); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestInFutureStaysInItsYear(t *testing.T) {
	for at := start; at.Year() < 2031; at = at.AddDate(0, 0, 1) {
		got := time.UnixMicro(inFuture(at.UnixMicro())).UTC()
		if got.Year() != 2099 || got.Format("15:04:05") != at.Format("15:04:05") {
			t.Fatalf("%v became %v", at, got)
		}
	}
}

func TestAppendEventAllocatesNothing(t *testing.T) {
	e, dst := newEncoder(), make([]byte, 0, 512)
	ev := event{micros: start.UnixMicro(), cents: 1234, user: 3, product: 4}
	e.appendEvent(dst, ev)
	if n := testing.AllocsPerRun(100, func() { e.appendEvent(dst, ev) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkTimestamp(b *testing.B) {
	dst := make([]byte, 0, 64)
	b.Run("by hand", func(b *testing.B) {
		var c dateCache
		for b.Loop() {
			c.appendTimestamp(dst, 1769680800123456)
		}
	})
	b.Run("time.AppendFormat", func(b *testing.B) {
		for b.Loop() {
			time.UnixMicro(1769680800123456).UTC().AppendFormat(dst, timestampLayout)
		}
	})
}

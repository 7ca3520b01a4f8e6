package main

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/pipeline"
)

func TestMain(m *testing.M) { pgtest.Main(withBeam{m}) }

type withBeam struct{ *testing.M }

func (w withBeam) Run() int {
	flag.Parse()
	beam.Init()
	return w.M.Run()
}

// The program itself, twice.
func TestProgram(t *testing.T) {
	url := pgtest.Database(t)
	t.Setenv("DATABASE_URL", url)
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{"orders", "testdata/*.csv"}
	main()
	main()
	wantOrders(t, url)
}

func TestOrders(t *testing.T) {
	for _, runner := range []string{pipeline.RunnerDirect, pipeline.RunnerPrism} {
		t.Run(runner, func(t *testing.T) {
			url := pgtest.Database(t)
			s := pipeline.DefaultSettings()
			s.Streaming.Input, s.Postgres.Table = []string{"testdata/*.csv"}, "shop.orders"
			flow := pipeline.Flow[Order, Rules]{
				Rules: Rules{MaxItems: 100}, Tables: []string{table},
				Options: pipeline.Options{Settings: s, Database: pipeline.DatabaseAt(url), AvailableNow: true, Runner: runner},
			}
			if err := flow.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			load := func() pipeline.Totals {
				t.Helper()
				totals, err := flow.Run(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				totals.Batches = 0
				return totals
			}
			if got, want := load(), (pipeline.Totals{Records: 11, Inserted: 4, Duplicates: 1, DeadLetters: 6, Files: 1}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := load(); got != (pipeline.Totals{}) {
				t.Errorf("the second run has nothing to do and does %+v", got)
			}
			wantOrders(t, url)
		})
	}
}

func wantOrders(t *testing.T, url string) {
	t.Helper()
	want(t, url, `select concat_ws(' ', shop, order_no, paid, items, points, delivered, total, details) from shop.orders order by 1`,
		"Bergen A-1 t 2 2026-02-01 12.50 [1]", `Oslo A-1 t 3 2026-01-29 59.90 {"gift": true, "note": "call first"}`, "Oslo A-2 f 1 5.00", "Oslo A-5 t 1 2099-01-01 5.00")
	want(t, url, `select concat_ws(' ', line_number, code, column_name) from cartstream.dead_letters order by line_number`,
		"7 invalid_value paid", "8 wrong_items items", "10 invalid_timestamp delivered",
		"11 invalid_value details", "12 rejected_by_database total", "13 wrong_field_count")
}

func TestMainIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 60 {
		t.Errorf("main.go has %d lines, and promises at most 60", lines)
	}
}

func want(t *testing.T, url, sql string, rows ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	found, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, rows) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

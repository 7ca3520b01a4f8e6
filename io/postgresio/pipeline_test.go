package postgresio

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	dofn.Register2x0[[]byte, func(*record.Record[item])](&filesFn{})
	dofn.Register2x0[*record.Record[item], func(*record.Record[item])](&dropFn{})
}

// filesFn emits files of ten items each, of which every file has five that the
// one before has too.
type filesFn struct{ Files int }

func (fn *filesFn) ProcessElement(_ []byte, emit func(*record.Record[item])) {
	for f := range fn.Files {
		values := append(items(f*5, f*5+10), record.Fault{Code: "c", Message: "m"})
		for _, r := range wholeRange[item](testFile(fmt.Sprint(f)), values...) {
			emit(r)
		}
	}
}

// dropFn leaves out what it must not: a record.
type dropFn struct{ Line int64 }

func (fn *dropFn) ProcessElement(r *record.Record[item], emit func(*record.Record[item])) {
	if !r.Data() || r.Source.Line != fn.Line {
		emit(r)
	}
}

// execute runs a graph on the direct runner.
func execute(build func(s beam.Scope)) error {
	p, s := beam.NewPipelineWithRoot()
	build(s)
	_, err := direct.Execute(context.Background(), p)
	return err
}

func TestLoadInAPipeline(t *testing.T) {
	w := newWorld(t, itemTable)
	run := func() error {
		return execute(func(s beam.Scope) {
			records := beam.ParDo(s, &filesFn{Files: 40}, beam.Impulse(s))
			committed := Load[item](s, records, "items", WithRun(w.run), WithDatabase(w.db))
			passert.Count(s, committed, "committed ranges", 40)
		})
	}
	for range 2 { // what is loaded is not loaded again, and told again
		if err := run(); err != nil {
			t.Fatal(err)
		}
		want := Totals{Batches: 1, Records: 440, Inserted: 205, Duplicates: 195, DeadLetters: 40, Files: 40}
		got := RunTotals(w.run)
		got.Batches = 1
		if got != want {
			t.Errorf("totals: got %+v, want %+v", got, want)
		}
		wantSound(w, "items", 205)
	}
}

func TestPipelineEndsWithTheSinksError(t *testing.T) {
	for _, c := range []struct {
		name, ddl string
		drop      int64
		says      string
	}{
		{"no table", "select 1", 0, "CREATE TABLE"},
		{"a table that has gone", itemTable, 0, "42P01"},
		{"a transform that drops a record", itemTable, 5, "10 records of a range of 11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.ddl)
			if c.says == "42P01" {
				w.exec("create function f() returns trigger language plpgsql as $$ begin perform 1 from gone; return new; end $$")
				w.exec("create trigger t before insert on items for each row execute function f()")
			}
			err := execute(func(s beam.Scope) {
				records := beam.ParDo(s, &filesFn{Files: 3}, beam.Impulse(s))
				records = beam.ParDo(s, &dropFn{Line: c.drop}, records)
				Load[item](s, records, "items", WithRun(w.run), WithDatabase(w.db))
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if n := one[int64](w, "select count(*) from cartstream.ranges"); n != 0 {
				t.Errorf("%d ranges are in the ledger", n)
			}
		})
	}
}

func TestRunThatHasFailedTakesNothingIn(t *testing.T) {
	w := newWorld(t, itemTable)
	runctl.Of(w.run).Fail(fmt.Errorf("the reader is broken"))
	err := execute(func(s beam.Scope) {
		Load[item](s, beam.ParDo(s, &filesFn{Files: 3}, beam.Impulse(s)), "items", WithRun(w.run), WithDatabase(w.db))
	})
	if err == nil || !strings.Contains(err.Error(), "the reader is broken") {
		t.Errorf("got %v", err)
	}
}

func TestOptionsThatMakeNoSensePanicWhenTheGraphIsBuilt(t *testing.T) {
	for name, build := range map[string]func(s beam.Scope, records beam.PCollection){
		"table":         func(s beam.Scope, r beam.PCollection) { Load[item](s, r, "a.b.c") },
		"connections":   func(s beam.Scope, r beam.PCollection) { Load[item](s, r, "t", WithConnections(0)) },
		"flush records": func(s beam.Scope, r beam.PCollection) { Load[item](s, r, "t", WithFlush(0, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, s := beam.NewPipelineWithRoot()
			build(s, beam.ParDo(s, &filesFn{}, beam.Impulse(s)))
		})
	}
}

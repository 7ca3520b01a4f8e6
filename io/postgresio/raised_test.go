package postgresio

import (
	"fmt"
	"strings"
	"testing"
)

// raisingTrigger raises the SQLSTATE that a row's name has.
const raisingTrigger = `create function f() returns trigger language plpgsql as $$ begin
	if new.name like 'raise %' then raise exception 'not this row' using errcode = substr(new.name, 7); end if; return new; end $$;
create trigger t before insert or update on items for each row execute function f()`

// TestRowForWhichATriggerRaisesIsADeadLetter has a trigger raise about some
// rows what PostgreSQL says of servers and transactions in trouble.
func TestRowForWhichATriggerRaisesIsADeadLetter(t *testing.T) {
	for _, code := range []string{"40001", "40P01", "53100", "53200", "53300", "57014", "57P01", "55P03", "58030", "25006", "08006", "ZX001", "42501"} {
		for _, c := range []struct {
			name string
			rows int
			bad  func(i int) bool
		}{
			{"one row", 300, func(i int) bool { return i == 17 }},
			{"some rows", 300, func(i int) bool { return i%50 < 2 }},
		} {
			t.Run(code+" "+c.name, func(t *testing.T) {
				retryFast(t)
				w := newWorld(t, itemTable, raisingTrigger)
				var values []any
				bad := 0
				for i := range c.rows {
					v := item{ID: id(i), Name: "n"}
					if c.bad(i) {
						v.Name = "raise " + code
						bad++
					}
					values = append(values, v)
				}
				newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), values...)...)
				wantHistory(w, "a.csv", fmt.Sprint("loaded ", c.rows, c.rows-bad, 0, bad))
				if n := one[int](w, "select count(*) from cartstream.dead_letters where message = $1", "not this row (SQLSTATE "+code+")"); n != bad {
					t.Errorf("%d dead letters have the reason, want %d", n, bad)
				}
				wantSound(w, "items", int64(c.rows-bad))
			})
		}
	}
}

// TestOnlyRowForWhichATriggerRaises is no dead letter as soon as one among others:
// nothing tells the row from the server.
func TestOnlyRowForWhichATriggerRaises(t *testing.T) {
	for _, code := range []string{"40001", "53100"} {
		t.Run(code, func(t *testing.T) {
			retryFast(t)
			log := captureLog(t)
			w := newWorld(t, itemTable, raisingTrigger)
			newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), item{ID: id(1), Name: "raise " + code})...)
			wantHistory(w, "a.csv", "loaded 1 0 0 1")
			if n := strings.Count(log.String(), "Retrying in"); n != triesBeforeAllDead {
				t.Errorf("it was retried %d times, want %d", n, triesBeforeAllDead)
			}
		})
	}
}

// TestFullDiskByATriggerIsWaitedFor has a trigger refuse all rows, as a server in
// trouble does, for longer than it takes to try rows apart.
func TestFullDiskByATriggerIsWaitedFor(t *testing.T) {
	retryFast(t)
	log := captureLog(t)
	w := newWorld(t, itemTable, `create function f() returns trigger language plpgsql as $$ begin raise exception using errcode = 'disk_full'; end $$`,
		"create trigger t before insert on items for each statement execute function f()")
	s := newSink[item](w, "items")
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 100)...)...) })
	waitUntil(t, "tries with the rows apart", func() bool { return strings.Count(log.String(), "Retrying in") == triesBeforeApart+2 })
	w.exec("drop trigger t on items")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantHistory(w, "a.csv", "loaded 100 100 0 0")
}

// TestTriggerThatRaisesForAWhileIsWaitedFor has a trigger raise once or twice
// only, as one does that finds another transaction in its way.
func TestTriggerThatRaisesForAWhileIsWaitedFor(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable, "create sequence tries",
		`create function f() returns trigger language plpgsql as $$ begin
			if nextval('tries') < 3 then raise exception 'later' using errcode = '40001'; end if; return null; end $$`,
		"create trigger t after insert on items for each statement execute function f()")
	newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), items(0, 100)...)...)
	wantHistory(w, "a.csv", "loaded 100 100 0 0")
}

// TestTroubleOfTheServerIsNoRowsFault has PostgreSQL itself cancel statements
// inside a trigger, again and again, until its reason is gone.
func TestTroubleOfTheServerIsNoRowsFault(t *testing.T) {
	retryFast(t)
	log := captureLog(t)
	w := newWorld(t, itemTable, "create table gate (n int); insert into gate values (1)",
		`create function f() returns trigger language plpgsql as $$ begin
			perform set_config('lock_timeout', '10ms', true); perform n from gate for update; return new; end $$`,
		"create trigger t before insert on items for each row execute function f()")
	s := newSink[item](w, "items")
	gate := begin(w)
	execIn(w, gate, "select from gate for update")
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 3)...)...) })
	waitUntil(t, "six tries", func() bool { return strings.Count(log.String(), "SQLSTATE 55P03") >= 2*triesBeforeApart })
	if err := gate.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantHistory(w, "a.csv", "loaded 3 3 0 0")
}

func TestRecordWithoutAPartitionIsADeadLetter(t *testing.T) {
	w := newWorld(t, "create table items (id uuid, name text, price numeric(6,2), primary key (id, name)) partition by list (name)",
		"create table items_n partition of items for values in ('n')")
	for i, opts := range [][]Option{nil, {WithUpsert(Upsert{})}} {
		values := append(items(100*i, 100*i+20), item{ID: id(100*i + 30), Name: "elsewhere"}, item{ID: id(100*i + 31), Name: "n"})
		file := testFile(fmt.Sprint(i))
		newSink[item](w, "items", opts...).load(wholeRange[item](file, values...)...)
		wantHistory(w, file.Path, "loaded 22 21 0 1")
	}
	got := w.list("select distinct message from cartstream.dead_letters")
	if len(got) != 1 || !strings.Contains(got[0], `no partition of relation "items" found for row (SQLSTATE 23514)`) {
		t.Errorf("got %q", got)
	}
}

package postgresio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/transforms/decimal"
)

func init() { Register[article]() }

// article is a row of a table with constraints of every kind.
type article struct {
	ID      int64            `db:"id"`
	Version int64            `db:"version"`
	Name    string           `db:"name"`
	Label   string           `db:"label"`
	Mood    string           `db:"mood"`
	Price   *decimal.Decimal `db:"price"`
	Weight  *decimal.Decimal `db:"weight"`
	Amount  int64            `db:"amount"`
	Code    string           `db:"code"`
	Shop    *string          `db:"shop"`
	Sizes   []string         `db:"sizes"`
	Doc     string           `db:"doc"`
	From    int64            `db:"begins"`
	To      int64            `db:"ends"`
}

var articleDDL = []string{
	"create type mood as enum ('fine', 'sad')",
	"create domain positive as bigint check (value > 0)",
	"create table shops (name text primary key)",
	"insert into shops values ('here')",
	`create table articles (id bigint primary key, version bigint, name varchar(8), label text, mood mood, price numeric(4,1), weight numeric(6,1),
		amount positive, code text unique, shop text not null references shops, sizes text[], doc jsonb, begins bigint check (begins <> 13), ends bigint,
		constraint in_order check (begins <= ends))`,
	"insert into articles values (-1, 0, '', '', 'fine', 0, 0, 1, 'taken', 'here', '{}', '{}', 0, 0)",
	`create function no_zebra() returns trigger language plpgsql as $$ begin
		if new.label = 'zebra' then
			raise exception 'no zebras' using errcode = '22023', column = 'label', detail = 'It is striped.', hint = 'Try a horse.';
		end if;
		if new.label = 'zero' then new.begins := 1 / new.version / 0; end if;
		return new; end $$`,
	"create trigger t before insert or update on articles for each row execute function no_zebra()",
}

func articleOf(n, version int64) article {
	shop := "here"
	return article{
		ID: n, Version: version, Name: "näme", Label: "läbel", Mood: "fine", Price: price("999.9"), Weight: price("1"), Amount: 1,
		Code: fmt.Sprint(n), Shop: &shop, Sizes: []string{"é"}, Doc: `{"a": 1}`, From: 1, To: 2,
	}
}

// rejectedArticles say what is wrong with an article, and what its dead letter has.
var rejectedArticles = []struct {
	name   string
	break_ func(a *article)
	column string
	says   []string
}{
	{"too long", func(a *article) { a.Name = "123456789" }, "name", []string{"22001"}},
	{"a character that the encoding lacks", func(a *article) { a.Name = "3 €" }, "name", []string{"22P05", "LATIN1", "U+20AC"}},
	{"the same in another column", func(a *article) { a.Label = "東京" }, "label", []string{"22P05", "LATIN1", "U+6771"}},
	{"the same in an array", func(a *article) { a.Sizes = []string{"m", "Ω"} }, "sizes", []string{"22P05", "LATIN1", "U+03A9"}},
	{"the same in a document", func(a *article) { a.Doc = `{"b": "😀"}` }, "doc", []string{"22P05", "LATIN1", "U+1F600"}},
	{"NUL", func(a *article) { a.Label = "a\x00" }, "label", []string{"22021", "0x00"}},
	{"not UTF-8", func(a *article) { a.Label = "a\xff" }, "label", []string{"22021", "0xff"}},
	{"no value of an enum", func(a *article) { a.Mood = "glad" }, "mood", []string{"22P02", "glad"}},
	{"no document", func(a *article) { a.Doc = "{" }, "doc", []string{"22P02", "DETAIL: "}},
	{"out of range", func(a *article) { a.Price = price("1000") }, "price", []string{"22003", "precision 4"}},
	{"out of range of the second", func(a *article) { a.Weight = price("1000000") }, "weight", []string{"22003", "precision 6"}},
	{"domain", func(a *article) { a.Amount = 0 }, "amount", []string{"23514", "positive_check"}},
	{"NULL", func(a *article) { a.Shop = nil }, "shop", []string{"23502", "DETAIL: Failing row contains", "csv.null_value"}},
	{"check of a column", func(a *article) { a.From, a.To = 13, 14 }, "begins", []string{"23514", "articles_begins_check"}},
	{"check of two columns", func(a *article) { a.To = 0 }, "", []string{"23514", "in_order", "DETAIL: "}},
	{"unique", func(a *article) { a.Code = "taken" }, "code", []string{"23505", "articles_code_key", "DETAIL: Key (code)=(taken) already exists."}},
	{"foreign key", func(a *article) { s := "there"; a.Shop = &s }, "shop", []string{"23503", "articles_shop_fkey", "DETAIL: Key (shop)=(there) is not present"}},
	{"raised", func(a *article) { a.Label = "zebra" }, "label", []string{"22023", "no zebras", "DETAIL: It is striped.", "HINT: Try a horse."}},
	{"error of a trigger", func(a *article) { a.Label = "zero" }, "", []string{"22012"}},
}

// Whether rows are copied, inserted or updated, alone or many in one round trip, the
// dead letter has the column, the constraint, the details and the hint.
func TestRejectionNamesColumnAndConstraintOnEveryPath(t *testing.T) {
	const rows = 40
	paths := []struct {
		name   string
		exists bool
		bad    func(n int64) bool
	}{
		{"COPY", false, func(n int64) bool { return n == 20 }},
		{"INSERT", false, func(n int64) bool { return n%2 == 0 }},
		{"UPDATE", true, func(n int64) bool { return n == 20 }},
		{"UPDATE of many", true, func(n int64) bool { return n%2 == 0 }},
	}
	w := worldAt(t, pgtest.Encoded(t, "LATIN1"), articleDDL...)
	s := newSink[article](w, "articles", WithUpsert(Upsert{Version: "version"}))
	for _, c := range rejectedArticles {
		for _, p := range paths {
			t.Run(c.name+", "+p.name, func(t *testing.T) {
				w.exec("delete from articles where id >= 0")
				var good, values []any
				bad := 0
				for n := range int64(rows) {
					good = append(good, articleOf(n, 1))
					a := articleOf(n, 2)
					if p.bad(n) {
						c.break_(&a)
						bad++
					}
					values = append(values, a)
				}
				if p.exists {
					s.load(wholeRange[article](testFile(t.Name()+" before"), good...)...)
				}
				s.load(wholeRange[article](testFile(t.Name()), values...)...)
				if got := one[int](w, "select count(*) from articles where id >= 0 and version = 2"); got != rows-bad {
					t.Errorf("%d rows, want %d", got, rows-bad)
				}
				letters := w.list("select code, coalesce(column_name, ''), message from cartstream.dead_letters where file_name = $1", t.Name())
				if len(letters) != bad {
					t.Fatalf("%d dead letters, want %d", len(letters), bad)
				}
				for _, l := range letters {
					if !strings.HasPrefix(l, "rejected_by_database "+c.column+" ") {
						t.Fatalf("got %q, want the column %q", l, c.column)
					}
					for _, s := range c.says {
						if !strings.Contains(l, s) {
							t.Fatalf("got %q, want %q", l, s)
						}
					}
				}
			})
		}
	}
}

// What PostgreSQL says in its languages.
func TestContextsInEveryLanguage(t *testing.T) {
	for _, where := range []string{
		"COPY items2, line 17, column price", "COPY items2, Zeile 17, Spalte price", "COPY items2, línea 17, columna price",
		"COPY items2, ligne 17, colonne price", "COPY items2, riga 17, colonna price", "items2のCOPY、行 17、列 price", "COPY items2, ხაზი 17, სვეტი price",
		"items2 복사, 17번째 줄, price 열", "COPY items2, строка 17, столбец price", "COPY items2, rad 17, kolumn price", "COPY items2, рядок 17, стовпець price",
		"PL/pgSQL-Funktion f() Zeile 3 bei RAISE\nCOPY items2, Zeile 17", "SQL statement \"insert into items2 values (3)\"\nCOPY items2, line 17",
	} {
		if got := copyLine(where, "items2"); got != 17 {
			t.Errorf("%s: line %d", where, got)
		}
	}
	for where, want := range map[string]int{
		"unnamed portal parameter $12": 12, "unbenanntes Portal Parameter $12": 12, "paramètre de portail non nommé $12": 12, "無名ポータルパラメータ $12": 12,
		"이름없는 포탈 $12 매개 변수": 12, "неименованный портал, параметр $12": 12,
		"portal sin nombre, parámetro 12": 0, "": 0, "COPY items2, line 17, column a$12": 0,
		"SQL-Anweisung »select $1«\nPL/pgSQL-Funktion f() Zeile 3 bei RAISE": 0,
	} {
		if got := parameterOf(where); got != want {
			t.Errorf("%s: parameter %d, want %d", where, got, want)
		}
	}
	for _, message := range []string{
		`character with byte sequence 0xce 0xa9 in encoding "UTF8" has no equivalent in encoding "LATIN1"`,
		"Zeichen mit Byte-Folge 0xce 0xa9 in Kodierung »UTF8« hat keine Entsprechung in Kodierung »LATIN1«",
		"编码\"UTF8\"的字符0x0xce 0xa9在编码\"LATIN1\"没有相对应值",
	} {
		if c, ok := lackedCharacter(&pgconn.PgError{Code: "22P05", Message: message}); !ok || c != 'Ω' {
			t.Errorf("%s: %q %v", message, c, ok)
		}
	}
	for _, message := range []string{"unsupported Unicode escape sequence", `character with byte sequence 0xa4 in encoding "LATIN9" has no equivalent`} {
		if c, ok := lackedCharacter(&pgconn.PgError{Code: "22P05", Message: message}); ok {
			t.Errorf("%s: %q", message, c)
		}
	}
}

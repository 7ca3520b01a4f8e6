package postgresio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/transforms/record"
)

// Whatever characters an encoding lacks, the name of a path has none of them, leads back
// to the path, and is shown as in a database that has all of them.
func TestNamesOfEveryRepertoireLeadBackToThePath(t *testing.T) {
	parts := []string{"a", `\`, "x", "E", "2", "8", "F", `\xE2`, `\x5C`, "\xe2", "\x82", "\xac", "\x00", "ü", "€", "東", "😀", "¦", "\ufffd"}
	characters := []rune{'ü', '€', '東', '😀', '¦', '\ufffd'}
	random := rand.New(rand.NewPCG(1, 2))
	paths := map[string]string{}
	for range 20_000 {
		r := &repertoire{encoding: "of the test", lacked: map[rune]bool{}}
		for _, c := range characters {
			r.lacked[c] = random.IntN(2) == 0
		}
		path := ""
		for range random.IntN(8) {
			path += parts[random.IntN(len(parts))]
		}
		name := r.name(path)
		if strings.ContainsFunc(name, r.lacks) || pathOf(name) != path || shownName(name) != FileName(path) {
			t.Fatalf("%q: the name is %q, which leads to %q and is shown as %q", path, name, pathOf(name), shownName(name))
		}
		key := fmt.Sprint(r.lacked, name)
		if other, ok := paths[key]; ok && other != path {
			t.Fatalf("%q and %q have the name %q", path, other, name)
		}
		paths[key] = path
		if text := r.text(path); strings.ContainsFunc(text, r.lacks) || strings.Contains(text, "\x00") {
			t.Fatalf("%q: the text is %q", path, text)
		}
	}
}

// PostgreSQL is asked within a transaction and outside of one, and says what it says of
// the character alone. U+00A6 comes back as another character in EUC_JP.
func TestRepertoireIsPostgreSQLs(t *testing.T) {
	for encoding, lacks := range map[string]string{
		"UTF8": "", "SQL_ASCII": "", "LATIN1": "€東😀Ωк", "WIN1252": "東😀Ωк", "KOI8R": "ü€東😀Ω¦", "EUC_JP": "€😀¦", "EUC_KR": "ü😀¦", "WIN1251": "ü東😀Ω",
	} {
		w := worldAt(t, pgtest.Encoded(t, encoding))
		repertoires.Delete(encoding)
		for _, inTx := range []bool{false, true} {
			var got []rune
			ask := func(conn *pgx.Conn) error {
				r, err := repertoireFor(t.Context(), conn, "aü€", "東😀", "Ωк¦")
				if err != nil {
					return err
				}
				for _, c := range "aü€東😀Ωк¦" {
					if r.lacks(c) {
						got = append(got, c)
					}
				}
				return nil
			}
			conn, err := w.pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if inTx {
				err = inTransactionOn(t.Context(), conn.Conn(), beginReading, func(tx pgx.Tx) error { return ask(tx.Conn()) })
			} else {
				err = ask(conn.Conn())
			}
			if status := conn.Conn().PgConn().TxStatus(); err != nil || status != 'I' {
				t.Fatalf("%s: %v, the connection is in the state %c", encoding, err, status)
			}
			conn.Release()
			want := []rune(lacks)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: lacks %q, want %q", encoding, string(got), string(want))
			}
			repertoires.Delete(encoding)
		}
	}
}

// Keys that the encoding lacks become dead letters, whatever is in the batch beside them.
func TestKeysThatTheEncodingLacks(t *testing.T) {
	w := worldAt(t, pgtest.Encoded(t, "LATIN1"), "create table words (name text primary key, n bigint)")
	s := newSink[named](w, "words", WithUpsert(Upsert{Version: "n"}))
	for version := range int64(2) {
		var values []any
		for n := range 1000 {
			name := fmt.Sprint("ü", n)
			if n%3 == 0 {
				name = fmt.Sprint("東", n)
			}
			values = append(values, named{name, version})
		}
		values = append(values, record.Fault{Code: "c", Column: "東", Message: "m 😀 \xff"})
		s.load(wholeRange[named](testFile(fmt.Sprint("東", version)), values...)...)
	}
	wantSound(w, "words", 666)
	if got := one[int](w, "select count(*) from words where n = 1 and name like 'ü%'"); got != 666 {
		t.Errorf("%d rows", got)
	}
	if got := w.list(`select distinct coalesce(column_name, ''), message from cartstream.dead_letters order by 1`); !slices.Equal(got, []string{
		`\u6771 m \U0001F600 \uFFFD`, `name the database's encoding LATIN1 lacks the character '\u6771' (U+6771) (SQLSTATE 22P05)`,
	}) {
		t.Errorf("got %q", got)
	}
	files, err := History(t.Context(), w.pool, HistoryFilter{File: "東?"})
	if err != nil || len(files) != 2 || files[1].File != "東0" || files[1].Errors != 335 {
		t.Errorf("got %+v, %v", files, err)
	}
}

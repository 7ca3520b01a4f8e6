package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/io/postgresio"
)

// namesOfFiles have characters that some encodings lack, bytes that are no text, and
// what reads like the escapes of both.
var namesOfFiles = []string{
	"plain.csv", "Müller Größe.csv", "3 €.csv", "東京タワー.csv", "Ωμέγα.csv", "кот.csv", "😀.csv", "¦.csv", "\xff\xfe.csv", "\xe2\x82.csv",
	`\xE2\x82\xAC.csv`, `\x5CxE2.csv`, "\ufffd.csv",
}

// Each character of a file is stored as it is, or its record is a dead letter that names
// the column and the character; and each file is found again by its name.
func TestTextsAndFileNamesInEveryEncoding(t *testing.T) {
	texts, err := os.ReadFile("../testdata/texts.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(texts), "\n")
	for _, c := range []struct {
		encoding string
		lacked   string // for each line the first character that the encoding lacks
		pooled   bool
	}{
		{"UTF8", "......", false},
		{"SQL_ASCII", "......", false},
		{"LATIN1", ".€東.Ω.", false},
		{"LATIN1", ".€東.Ω.", true},
		{"WIN1252", "..東.Ω.", false},
		{"KOI8R", "ü€東ïΩ.", false},
		{"EUC_JP", ".€....", false},
	} {
		t.Run(fmt.Sprint(c.encoding, " pooled ", c.pooled), func(t *testing.T) {
			url := pgtest.Encoded(t, c.encoding)
			if c.pooled {
				url = pgtest.Pooler(t, url, "transaction", "default_pool_size = 2")
			}
			p := newPlaceAt(t, RunnerDirect, url)
			for _, name := range namesOfFiles {
				p.write(name, strings.Join(lines[:1], "")+"x\n") // of one dead letter
			}
			p.write("texts.csv", string(texts))
			p.write("kaputt 東 €.csv", "東,€\n1,2\n")
			totals := p.run(nil)
			if totals.Files != int64(len(namesOfFiles))+1 {
				t.Errorf("got %+v", totals)
			}
			var want []string
			lacked := []rune(c.lacked)
			for i, line := range lines[1:7] {
				if lacked[i] == '.' {
					want = append(want, strings.Split(line, ",")[3])
				}
			}
			if got := p.list("select product_name from user_events order by event_id"); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			p.wantLacked(c.encoding, lines[1:7], lacked)
			p.wantNames()
			for _, options := range []VerifyOptions{{}, {Files: true}} {
				v, err := Events(p.options).Verify(t.Context(), &options)
				if err != nil || v.Off > 0 {
					t.Errorf("verify: %+v, %v", v, err)
				}
			}
			if got := p.run(nil); got != (Totals{}) {
				t.Errorf("the second run has nothing to do and does %+v", got)
			}
		})
	}
}

func (p *place) list(sql string) (values []string) {
	p.Helper()
	s := p.connect()
	s.exec("set client_encoding = 'UTF8'")
	rows, err := s.conn.Query(p.Context(), sql)
	if err != nil {
		p.Fatal(err)
	}
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			p.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// wantLacked looks at the dead letters of the lines with characters that are lacked.
func (p *place) wantLacked(encoding string, lines []string, lacked []rune) {
	p.Helper()
	letters := map[int64]DeadLetter{}
	err := EachDeadLetter(p.Context(), p.options.Database, DeadLetterFilter{File: "texts.csv"}, func(d DeadLetter) error {
		letters[d.Line] = d
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	for i, line := range lines {
		d, dead := letters[int64(i)+2]
		if dead != (lacked[i] != '.') {
			p.Errorf("line %d is a dead letter: %t", i+2, dead)
		}
		if !dead {
			continue
		}
		says := fmt.Sprintf("(U+%04X) (SQLSTATE 22P05)", lacked[i])
		if d.Code != "rejected_by_database" || d.Column == nil || *d.Column != "product_name" || !strings.Contains(d.Message, says) || !strings.Contains(d.Message, encoding) {
			p.Errorf("got %+v, want the column and %q", d, says)
		}
		if !bytes.Equal(bytes.TrimRight(d.Raw, "\n"), []byte(strings.TrimRight(line, "\n"))) {
			p.Errorf("got %q, want %q", d.Raw, line)
		}
	}
}

// wantNames asks for the files by their names, and for all of them.
func (p *place) wantNames() {
	p.Helper()
	all, err := History(p.Context(), p.options.Database, HistoryFilter{})
	if err != nil {
		p.Fatal(err)
	}
	listed := map[string]bool{}
	for _, f := range all {
		listed[f.File] = true
	}
	for _, name := range append(slices.Clone(namesOfFiles), "kaputt 東 €.csv") {
		path := filepath.Join(p.dir, name)
		if !listed[postgresio.FileName(path)] {
			p.Errorf("%q is not listed: %v", name, listed)
		}
		reports, err := Report(p.Context(), p.options.Database, path)
		if err != nil || len(reports) != 1 || reports[0].File != postgresio.FileName(path) || reports[0].Records != 1 && reports[0].Status != "failed" {
			p.Errorf("%q: got %+v, %v", name, reports, err)
		}
		if strings.ContainsAny(name, `\`) {
			continue // a pattern may have the escapes
		}
		found, err := History(p.Context(), p.options.Database, HistoryFilter{File: name})
		if err != nil || len(found) != 1 || found[0].File != postgresio.FileName(path) {
			p.Errorf("%q: found %+v, %v", name, found, err)
		}
		letters := 0
		if err := EachDeadLetter(p.Context(), p.options.Database, DeadLetterFilter{File: name}, func(d DeadLetter) error {
			letters++
			if d.File != postgresio.FileName(path) {
				p.Errorf("%q: a dead letter of %q", name, d.File)
			}
			return nil
		}); err != nil || letters != 1 && !strings.HasPrefix(name, "kaputt") {
			p.Errorf("%q: %d dead letters, %v", name, letters, err)
		}
	}
	if n, err := RetryFile(p.Context(), p.options.Settings, p.options.Database, filepath.Join(p.dir, "kaputt 東 €.csv")); err != nil || n != 1 {
		p.Errorf("got %d, %v", n, err)
	}
	if got := p.run(nil); got.FailedFiles != 1 {
		p.Errorf("the failed file again: %+v", got)
	}
}

package csvio

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
)

func TestAppendField(t *testing.T) {
	tests := []struct{ name, field, want string }{
		{"plain", "USER_000001", "USER_000001"},
		{"empty", "", ""},
		{"inner space", "Table Lamp", "Table Lamp"},
		{"comma", "Pots, Set of 3", `"Pots, Set of 3"`},
		{"quote", `27" Monitor`, `"27"" Monitor"`},
		{"only a quote", `"`, `""""`},
		{"quotes at both ends", `"x"`, `"""x"""`},
		{"line feed", "two\nlines", "\"two\nlines\""},
		{"carriage return", "two\rlines", "\"two\rlines\""},
		{"carriage return and line feed", "two\r\nlines", "\"two\r\nlines\""},
		{"leading space", " x", `" x"`},
		{"leading tab", "\tx", "\"\tx\""},
		{"leading no-break space", "\u00a0x", "\"\u00a0x\""},
		{"trailing space", "x ", "x "},
		{"end-of-data mark of PostgreSQL", `\.`, `"\."`},
		{"backslash", `\x`, `\x`},
		{"other scripts", "Käse 乳酪", "Käse 乳酪"},
		{"no UTF-8", "Caf\xe9", "Caf\xe9"},
		{"no UTF-8 at the start", "\xffx", "\xffx"},
		{"zero byte", "\x00", "\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendField(nil, tt.field)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if std := standardField(t, tt.field); std != tt.want {
				t.Errorf("encoding/csv writes %q, the test wants %q", std, tt.want)
			}
		})
	}
}

func TestAppendFieldKeepsWhatIsInDst(t *testing.T) {
	got := AppendField([]byte("a,"), `b"`)
	if want := `a,"b"""`; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendFieldAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 64)
	for _, field := range []string{"USER_000001", `27" Monitor`, "Pots, Set of 3"} {
		if n := testing.AllocsPerRun(100, func() { AppendField(dst, field) }); n != 0 {
			t.Errorf("%q: %v allocations, want 0", field, n)
		}
	}
}

// FuzzAppendField holds the encoder against encoding/csv: the same bytes, and
// the same field read back.
func FuzzAppendField(f *testing.F) {
	for _, s := range []string{"", "x", " x", "x ", `"`, `""`, ",", "\n", "\r", "\r\n", `\.`, "\xff", "\u2003x", "\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got := AppendField(nil, field)
		if want := standardField(t, field); string(got) != want {
			t.Fatalf("AppendField(%q) = %q, encoding/csv writes %q", field, got, want)
		}
		// A second field keeps an empty one from being a blank line.
		record, err := csv.NewReader(bytes.NewReader(append(got, ",end\n"...))).Read()
		if err != nil {
			t.Fatalf("encoding/csv can't read %q: %v", got, err)
		}
		// The reader turns CRLF within quotes into LF; the encoder does not.
		want := strings.ReplaceAll(field, "\r\n", "\n")
		if len(record) != 2 || record[0] != want || record[1] != "end" {
			t.Fatalf("read back %q, want %q and \"end\"", record, want)
		}
	})
}

func BenchmarkAppendField(b *testing.B) {
	dst := make([]byte, 0, 64)
	for _, bb := range []struct{ name, field string }{{"plain", "Wireless Headphones"}, {"quoted", `27" Monitor`}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				AppendField(dst, bb.field)
			}
		})
	}
}

func standardField(t *testing.T, field string) string {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.Write([]string{field}); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return strings.TrimSuffix(out.String(), "\n")
}

package csvio

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

const again = "id,user,price,placed\n" +
	"00000000-0000-4000-8000-000000000001,u,1.5,2026-01-01 10:00:00\n" +
	"nonsense,u,1.5,2026-01-01 10:00:00\n\n" +
	"00000000-0000-4000-8000-000000000003,\"u\nv\",1.5,2026-01-01 10:00:00\n" +
	"00000000-0000-4000-8000-000000000004,u,1.5,2026-01-01 10:00:00\n"

func againFor(ctx context.Context, f record.File, fingerprint string) (records []*record.Record[order], err error) {
	err = ReadAgain(ctx, f, fingerprint, func(r *record.Record[order]) error {
		r.Source.Range.JudgedAt = readAt
		records = append(records, r)
		return nil
	})
	return records, err
}

// The records are those that Split and Read give, of plain files and archives.
func TestReadAgain(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(again)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"plain": again, "gzip": zipped.String(), "empty": "", "header only": "id,user,price,placed"} {
		t.Run(name, func(t *testing.T) {
			f := writeFile(t, content)
			fingerprint := Fingerprint[order](WithMaxRangeRecords(2))
			got, err := againFor(t.Context(), f, fingerprint)
			if err != nil {
				t.Fatal(err)
			}
			want := readAll[order](t, splitAll[order](t, record.Work{File: f}, WithMaxRangeRecords(2)))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %d records, want %d, or others", len(got), len(want))
			}
		})
	}
}

func TestReadAgainTellsWhy(t *testing.T) {
	fingerprint := Fingerprint[order]()
	for _, c := range []struct {
		name, content, fingerprint string
		change                     func(path string) error
		want                       string
		fault                      bool
	}{
		{"gone", again, fingerprint, os.Remove, "it is no longer there", false},
		{"cut", again, fingerprint, func(path string) error { return os.Truncate(path, 10) }, "the file has changed since it was listed: it had ", false},
		{"a fingerprint of another program", again, "csv0;x", nil, `the version of the splitting is "csv0"`, false},
		{"other columns", again, strings.Replace(fingerprint, "schema=", "schema=0", 1), nil, "it is of another program, whose records have other columns", false},
		{"a header that does not fit", "a,b\n", fingerprint, nil, `the required column "id" is missing`, true},
		{"a damaged archive", "\x1f\x8bxxxxxxxxxxxxx", fingerprint, nil, "archive can't be read", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, c.content)
			if c.change != nil {
				if err := c.change(f.Path); err != nil {
					t.Fatal(err)
				}
			}
			records, err := againFor(t.Context(), f, c.fingerprint)
			var not *NotReadError
			var fault *record.Fault
			if len(records) > 0 || err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &not) == c.fault || errors.As(err, &fault) != c.fault {
				t.Errorf("got %d records, %v", len(records), err)
			}
		})
	}
}

func TestReadAgainStops(t *testing.T) {
	f := writeFile(t, again)
	enough := errors.New("enough")
	n := 0
	err := ReadAgain(t.Context(), f, Fingerprint[order](), func(*record.Record[order]) error {
		n++
		return enough
	})
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("got %d records, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if records, err := againFor(ctx, f, Fingerprint[order]()); !errors.Is(err, context.Canceled) || len(records) > 0 {
		t.Errorf("got %d records, %v", len(records), err)
	}
}

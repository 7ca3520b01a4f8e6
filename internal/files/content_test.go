package files

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

func TestHolds(t *testing.T) {
	content := make([]byte, 3*compareBuffer+17)
	for i := range content {
		content[i] = byte(rand.IntN(256))
	}
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	size := int64(len(content))
	span := func(start, end int64) record.Span {
		return record.Span{Start: start, End: end, Hash: Hash(content[start:min(end, size)])}
	}
	wrong := func(s record.Span) record.Span { s.Hash++; return s }
	for name, c := range map[string]struct {
		spans []record.Span
		want  bool
	}{
		"no span":                      {nil, true},
		"all":                          {[]record.Span{span(0, size)}, true},
		"parts":                        {[]record.Span{span(0, 10), span(10, size)}, true},
		"a part is missing":            {[]record.Span{span(0, 10), span(5000, 6000)}, true},
		"a beginning that grows":       {[]record.Span{span(0, 10), span(0, 10), span(0, compareBuffer), span(0, size)}, true},
		"a beginning that shrinks":     {[]record.Span{span(0, 10), span(0, 5)}, true},
		"another part":                 {[]record.Span{span(0, 10), wrong(span(10, size))}, false},
		"a beginning that differs":     {[]record.Span{wrong(span(0, 10)), span(0, size)}, false},
		"more than there is":           {[]record.Span{span(0, size+1)}, false},
		"a beginning beyond the end":   {[]record.Span{span(0, size), span(0, size+1)}, false},
		"the last part ends too early": {[]record.Span{span(0, size), {Start: size, End: size + 5, Hash: Hash(nil)}}, false},
	} {
		if got, err := Holds(t.Context(), path, c.spans); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

package csvio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// stored writes a file into Beam's store in memory and returns its version.
func stored(t testing.TB, content string) record.File {
	t.Helper()
	path := "memfs://" + t.Name() + "/a.csv"
	memfs.Write(path, []byte(content))
	p, err := files.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	list := files.List(t.Context(), []files.Pattern{p}, files.Look{})
	if len(list.Files) != 1 {
		t.Fatalf("listed %+v", list)
	}
	return list.Files[0]
}

func TestAStoreIsReadAsADiskIs(t *testing.T) {
	var content strings.Builder
	content.WriteString("id,user,price,placed\n")
	for i := range 1000 {
		fmt.Fprintf(&content, "38f9045a-d91d-5386-9bca-%012d,u%d,1.50,2026-01-29T10:00:00Z\n", i, i)
	}
	opt := WithMaxRangeBytes(4096)
	ranges := splitAll[order](t, record.Work{File: stored(t, content.String())}, opt)
	recs := readAll[order](t, ranges, opt)
	values := 0
	for _, r := range recs {
		switch {
		case r.Kind == record.KindValue && r.Value.User == fmt.Sprint("u", values):
			values++
		case r.Kind != record.KindRangeEnd:
			t.Fatalf("got %+v", r)
		}
	}
	if values != 1000 || len(ranges) < 10 {
		t.Errorf("%d values in %d ranges", values, len(ranges))
	}
}

func TestAStoresFileThatIsReplacedIsSuperseded(t *testing.T) {
	ranges := splitAll[order](t, record.Work{File: stored(t, "id,user,price,placed\n")})
	stored(t, "id,user,price,placed\n")
	recs := readAll[order](t, ranges)
	if len(recs) != 1 || recs[0].Kind != record.KindSuperseded {
		t.Errorf("got %+v", recs)
	}
}

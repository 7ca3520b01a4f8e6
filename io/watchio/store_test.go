package watchio

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"

	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	filesystem.Register("untimed", func(ctx context.Context) filesystem.Interface {
		return struct{ filesystem.Interface }{memfs.New(ctx)}
	})
}

// put writes a file into the store and returns its version.
func put(t *testing.T, folder, name, content string) record.File {
	t.Helper()
	memfs.Write(folder+name, []byte(content))
	at, err := memfs.New(t.Context()).(filesystem.LastModifiedGetter).LastModified(t.Context(), folder+name)
	check(t, err)
	return record.File{Path: folder + name, Size: int64(len(content)), Modified: at.UnixMicro()}
}

func TestAStoreIsWatchedAsAFolderIs(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		folder := "memfs://" + strings.ReplaceAll(t.Name(), "/", "-") + "/"
		ledger, memory := newLedger(t)
		first := put(t, folder, "in/a.csv", "a")
		put(t, folder, "in/_b.csv", "b")
		put(t, folder, "in/c.txt", "c")
		j := r.watch(t, folder+"**/*.csv", ledger, nil)
		eventually(t, "the file that is there", func() bool { return len(j.all()) == 1 })
		second := put(t, folder, "in/sub/d.csv", "d")
		eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
		memory.loaded(first, second)
		again := put(t, folder, "in/a.csv", "aaa")
		eventually(t, "the new version", func() bool { return len(j.all()) == 3 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), first, second, again)
	})
}

func TestAStoreIsListed(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		folder := "memfs://" + strings.ReplaceAll(t.Name(), "/", "-") + "/"
		ledger, memory := newLedger(t)
		memory.loaded(put(t, folder, "b.csv", "b"))
		want := put(t, folder, "a.csv", "a")
		j, err := r.list(t, folder+"*.csv", ledger, nil, WithPatterns(folder+"a*", t.TempDir()+"/*.csv"))
		check(t, err)
		wantFiles(t, j.files(), want)
	})
}

func TestAStoreWithoutTimesHasNoFilesOfAnAge(t *testing.T) {
	for name, opt := range map[string]Option{"an age": WithMinimumAge(time.Second), "since a time": WithIncludeExisting(false)} {
		ledger, _ := newLedger(t)
		_, err := newPoller(newSettings("untimed://in/*.csv", []Option{opt}), ledger)
		if err == nil || !strings.Contains(err.Error(), "untimed://: the store tells no modification times") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

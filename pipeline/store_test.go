package pipeline

import (
	"os"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"
)

// A pattern with a scheme is a file system of Beam: files come from there to the
// table by the same code, and the same path with other content is another
// version there too.
func TestRunFromAStore(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		folder := "memfs://" + strings.ReplaceAll(t.Name(), "/", "-")
		p.options.Settings.Streaming.Input = []string{folder + "/in/**/*.csv"}
		events, err := os.ReadFile(eventsFile)
		if err != nil {
			t.Fatal(err)
		}
		memfs.Write(folder+"/in/a.csv", events)
		memfs.Write(folder+"/in/deep/er/b.csv", events)
		memfs.Write(folder+"/in/_c.csv", events)
		p.wantBacklog(2)
		if got, want := p.run(nil), (Totals{Records: 18, Inserted: 4, Duplicates: 6, DeadLetters: 8, Files: 2}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		memfs.Write(folder+"/in/a.csv", append(events, '\n'))
		if got, want := p.run(nil), (Totals{Records: 9, Duplicates: 5, DeadLetters: 4, Files: 1}); got != want {
			t.Errorf("a new version: got %+v, want %+v", got, want)
		}
		p.wantBacklog(0)
		v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
		if err != nil || len(v.Findings) > 0 || v.Files != 3 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

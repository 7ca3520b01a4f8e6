package pipeline

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that is deleted after it was listed, before it is read: the others are
// loaded, and nothing is left to be loaded.
func TestFileThatIsDeletedBeforeItIsRead(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		release := p.largeFile("a.csv")
		p.add("b.csv")
		p.add("c.csv")
		done := make(chan Totals, 1)
		go func() {
			totals, err := Events(p.options).Run(p.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			done <- totals
		}()
		p.held()
		if err := os.Remove(filepath.Join(p.dir, "b.csv")); err != nil {
			t.Fatal(err)
		}
		release()
		// On direct the file is looked for again before it is begun, on prism it
		// was handed on before: there it is a file that could not be read.
		totals := <-done
		if totals.Files != 2 || totals.Records != 40_009 || totals.FailedFiles != 0 || totals.UnreadableFiles > 1 {
			t.Errorf("got %+v", totals)
		}
		v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
		if err != nil || len(v.Findings) > 0 || v.Records != 40_009 {
			t.Errorf("%+v %v", v, err)
		}
		p.wantBacklog(0)
	})
}

package pipeline

import (
	"errors"
	"testing"
)

func TestBoundedRunFailsWhenLoadsAreLostMeanwhile(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.add("a.csv")
		p.run(nil)
		release := p.largeFile("b.csv")
		ended := make(chan error, 1)
		go func() {
			_, err := Events(p.options).Run(p.Context(), nil)
			ended <- err
		}()
		p.held()
		lose := p.connect()
		lose.exec(`delete from cartstream.files where file_name like '%a.csv'`)
		release()
		if err := <-ended; !errors.Is(err, errLoadsMissing) {
			t.Errorf("got %v", err)
		}
		p.run(nil)
		if n := p.count(`select count(*) from cartstream.load_history where status = 'loaded'`); n != 2 {
			t.Errorf("%d files are loaded, want 2", n)
		}
	})
}

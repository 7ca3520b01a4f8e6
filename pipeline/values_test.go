package pipeline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Times finer than a microsecond are rounded as \copy rounds the same file, and
// verify compares with the rounded ones.
func TestRunStoresTimesAsCopyDoes(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		random := rand.New(rand.NewPCG(15, 3))
		var b strings.Builder
		b.WriteString("event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n")
		const events = 500
		for i := range events {
			fraction := fmt.Sprintf("%06d%s", random.IntN(1_000_000), []string{"5", "50000", "4999999999", "50000000000001", "4", "6", "9"}[i%7])
			if i%10 == 0 {
				fraction = "999999" + fraction[6:]
			}
			fmt.Fprintf(&b, "5eed0000-0000-4000-8000-%012d,u,p,n,c,purchase,%d.%02d,%d-12-31 23:59:59.%s%s\n",
				i, i, i%100, 1969+i%50, fraction, []string{"", "Z", "+02", "-11:30"}[i%4])
		}
		if err := os.WriteFile(filepath.Join(p.dir, "a.csv"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		s := p.connect()
		s.exec("create table copied (like user_events including defaults); set timezone to 'UTC'")
		if _, err := s.conn.PgConn().CopyFrom(t.Context(), strings.NewReader(b.String()),
			"copy copied (event_id, user_id, product_id, product_name, product_category, event_type, price, event_timestamp) from stdin (format csv, header)"); err != nil {
			t.Fatal(err)
		}
		if got, want := p.run(nil), (Totals{Records: events, Inserted: events, Files: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if n := p.count("select count(*) from user_events u join copied c using (event_id, event_timestamp, price)"); n != events {
			t.Errorf("%d of %d events are stored as \\copy stores them", n, events)
		}
		v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
		if err != nil || len(v.Findings) > 0 {
			t.Errorf("verify: %v, %v", v, err)
		}
	})
}

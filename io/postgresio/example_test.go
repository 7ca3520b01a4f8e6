package postgresio_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/transforms/record"
)

// Reading is a row of the table readings.
type Reading struct {
	Sensor string    `db:"sensor_key"`
	Value  *float64  `db:"value"`
	At     time.Time `db:"measured_at"`
}

func init() { postgresio.Register[Reading]() }

// Rows, dead letters and the ledger go into the database that DATABASE_URL
// names; a row whose sensor_key and measured_at are there already is counted and
// left out.
func ExampleLoad() {
	_, s := beam.NewPipelineWithRoot()
	var records beam.PCollection // of *record.Record[Reading], from csvio.Read
	postgresio.Load[Reading](s, records, "public.readings",
		postgresio.WithKey("sensor_key", "measured_at"),
		postgresio.WithFlush(10_000, time.Second))
}

// A newer reading of a sensor overwrites an older one, in whatever order they
// come.
func ExampleWithUpsert() {
	_, s := beam.NewPipelineWithRoot()
	var records beam.PCollection // of *record.Record[Reading], from csvio.Read
	postgresio.Load[Reading](s, records, "public.latest_readings",
		postgresio.WithKey("sensor_key"),
		postgresio.WithUpsert(postgresio.Upsert{Version: "measured_at"}))
}

// Wrong tags are told when the type is registered.
func ExampleRegister() {
	defer func() { fmt.Println(recover() != nil) }()
	postgresio.Register[struct{ Sensor string }]()
	// Output: true
}

// The ledger's schema is made or updated, and with it a table.
func ExampleMigrate() {
	ctx := context.Background()
	db := postgresio.SetURL("plant", "postgres://loader@localhost/plant")
	err := postgresio.Migrate(ctx, db, `create table if not exists readings (
		sensor_key text, value double precision, measured_at timestamptz, primary key (sensor_key, measured_at))`)
	if err != nil {
		log.Fatal(err)
	}
}

// What can't work is said before a pipeline is begun, with what is expected and what there is.
func ExampleCheck() {
	db := postgresio.SetURL("plant", "postgres://loader@localhost/plant")
	if err := postgresio.Check[Reading](context.Background(), db, "readings", postgresio.WithKey("sensor_key", "measured_at")); err != nil {
		fmt.Println(err) // there is no table "readings"; this would make it: CREATE TABLE …
	}
}

// A connection string stays in this process: what goes to workers is its name.
func ExampleSetURL() {
	fmt.Println(postgresio.SetURL("plant", "postgres://loader:secret@localhost/plant").Name)
	// Output: plant
}

func ExampleParseTable() {
	for _, name := range []string{"readings", "plant.readings", `plant."2026.readings"`, "a.b.c"} {
		id, err := postgresio.ParseTable(name)
		fmt.Println(id.Sanitize(), err)
	}
	// Output:
	// "readings" <nil>
	// "plant"."readings" <nil>
	// "plant"."2026.readings" <nil>
	//  the table name "a.b.c" has 3 parts; write table or schema.table, in double quotes where a part holds a dot
}

// The ledger writes bytes that are no UTF-8 as \xNN.
func ExampleFileName() {
	fmt.Println(postgresio.FileName("in/caf\xe9.csv"))
	// Output: in/caf\xE9.csv
}

// What pgx says of a connection may hold the password.
func ExampleSafeError() {
	db := postgresio.SetURL("nobody", "postgres://loader:secret@127.0.0.1:1/plant")
	pool, err := db.Open(context.Background(), 1)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	fmt.Println(postgresio.SafeError(pool.Ping(context.Background())))
}

// What a run has committed in this process so far; a run names itself by WithRun.
func ExampleRunTotals() {
	t := postgresio.RunTotals("tonight")
	fmt.Println(t.Records == t.Inserted+t.Updated+t.Duplicates+t.Stale+t.DeadLetters)
	// Output: true
}

// A pool's connections have the settings that loads and questions rely on.
func ExampleDatabase_Open() {
	ctx := context.Background()
	pool, err := postgresio.SetURL("plant", "postgres://loader@localhost/plant").Open(ctx, 2)
	if err != nil {
		log.Fatal(err) // the connection string is wrong; nothing was connected yet
	}
	fmt.Println(pool.Ping(ctx))
	pool.Close()
}

// A server that starts later is waited for.
func ExampleDatabase_Wait() {
	if err := postgresio.SetURL("plant", "postgres://loader@localhost/plant").Wait(context.Background()); err != nil {
		log.Fatal(err) // after a minute, or at once where the password is wrong
	}
}

// The ledger tells what is known of a version of a file.
func ExampleLedger_Lookup() {
	ledger := postgresio.Ledger{Run: "tonight", Database: postgresio.Database{Name: "plant"}, Table: "readings"}
	states, err := ledger.Lookup(context.Background(), []record.File{{Path: "/srv/in/readings-17.csv", Size: 120, Modified: 1_769_680_800_000_000}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(states[0].Status == record.StatusLoaded)
}

// Of many files, which are loaded to their end.
func ExampleLedger_Settled() {
	ledger := postgresio.Ledger{Run: "tonight", Database: postgresio.Database{Name: "plant"}, Table: "readings"}
	settled, err := ledger.Settled(context.Background(), []record.File{{Path: "/srv/in/readings-17.csv", Size: 120, Modified: 1_769_680_800_000_000}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settled[0])
}

// Files from before the first run with these patterns are left alone, also by
// later runs.
func ExampleLedger_BeginWatch() {
	ledger := postgresio.Ledger{Run: "tonight", Database: postgresio.Database{Name: "plant"}, Table: "readings"}
	since, err := ledger.BeginWatch(context.Background(), []string{"/srv/in/*.csv"}, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("files modified since", since)
}

// A question does not begin the watch.
func ExampleLedger_WatchedSince() {
	ledger := postgresio.Ledger{Run: "tonight", Database: postgresio.Database{Name: "plant"}, Table: "readings"}
	since, err := ledger.WatchedSince(context.Background(), []string{"/srv/in/*.csv"}, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("files modified since", since)
}

// open opens a pool of one connection.
func open(ctx context.Context) *pgxpool.Pool {
	pool, err := postgresio.SetURL("plant", "postgres://loader@localhost/plant").Open(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	return pool
}

// The files that failed since yesterday.
func ExampleHistory() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	files, err := postgresio.History(ctx, pool, postgresio.HistoryFilter{States: []string{"failed"}, Since: time.Now().AddDate(0, 0, -1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		fmt.Println(f.File, *f.FirstError)
	}
}

// All that is known of one file.
func ExampleReport() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	reports, err := postgresio.Report(ctx, pool, "/srv/in/readings-17.csv")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range reports {
		fmt.Println(r.Status, len(r.Ranges), r.DeadLetters)
	}
}

// A file that failed is loaded again by the next look.
func ExampleRetryFile() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	versions, err := postgresio.RetryFile(ctx, pool, "readings", "/srv/in/readings-17.csv")
	fmt.Println(versions, err)
}

// What was loaded in the last five minutes, and how late it was.
func ExampleReadActivity() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	a, err := postgresio.ReadActivity(ctx, pool, "readings", 5*time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Records, a.PipelineLatency.P99)
}

// Whether everything adds up.
func ExampleVerify() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	v, err := postgresio.Verify(ctx, pool, "readings", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range v.Findings {
		fmt.Println(f.File, f.Problem)
	}
}

// The dead letters of a file, as they come.
func ExampleEachDeadLetter() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	err := postgresio.EachDeadLetter(ctx, pool, postgresio.DeadLetterFilter{File: "/srv/in/readings-17.csv"}, func(d postgresio.DeadLetter) error {
		_, err := fmt.Printf("line %d: %s: %s\n", d.Line, d.Message, d.Raw)
		return err
	})
	fmt.Println(err)
}

// The files are read again, by whoever can read them, and each record is looked
// for in the database.
func ExampleRereadFiles() {
	ctx := context.Background()
	pool := open(ctx)
	defer pool.Close()
	read := func(ctx context.Context, file record.File, fingerprint string, _ func(int64) time.Time, each func(*record.Record[Reading]) error) error {
		return csvio.ReadAgain(ctx, file, fingerprint, each) // and transforms.Judge, where there are rules
	}
	v, err := postgresio.Verify(ctx, pool, "readings", &postgresio.VerifyOptions{
		Files: postgresio.RereadFiles(read, postgresio.WithKey("sensor_key", "measured_at")),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range v.Findings {
		fmt.Println(f.File, f.Problem)
	}
}

// Workers elsewhere load into this database only, whatever theirs is called.
func ExampleLedgerID() {
	ctx := context.Background()
	db := postgresio.SetURL("plant", "postgres://loader@localhost/plant")
	id, err := postgresio.LedgerID(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	db.Ledger = id
}

// What a run has committed, wherever its workers are.
func ExampleLedger_RunTotals() {
	ledger := postgresio.Ledger{Run: "nightly", Database: postgresio.SetURL("plant", "postgres://loader@localhost/plant"), Table: "readings"}
	totals, err := ledger.RunTotals(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(totals.Records, totals.DeadLetters)
}

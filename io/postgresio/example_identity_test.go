package postgresio_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/transforms/record"
)

var (
	plantLedger = postgresio.Ledger{Run: "tonight", Database: postgresio.Database{Name: "plant"}, Table: "readings"}
	touched     = []record.File{{Path: "/srv/in/readings-17.csv", Size: 120, Modified: 1_769_680_800_000_000, Inode: 17, Changed: 1_769_680_800_000_000_000}}
)

// Errors are shown without secrets.
func ExampleDatabase_Explain() {
	db := postgresio.SetURL("plant", "postgres://loader@localhost/plant")
	fmt.Println(db.Explain(errors.New("the disk is full")))
	// Output: the disk is full
}

// Caches are dropped when the history of the ledger has changed.
func ExampleLedger_History() {
	before, err := plantLedger.History(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	now, err := plantLedger.History(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now == before)
}

// After a change of history, later runs skip no more files than before.
func ExampleLedger_RestoreWatch() {
	since := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	if err := plantLedger.RestoreWatch(context.Background(), []string{"/srv/in/*.csv"}, since); err != nil {
		log.Fatal(err)
	}
}

// Hashes tell whether a file that was touched still has the content that was loaded.
func ExampleLedger_Contents() {
	contents, err := plantLedger.Contents(context.Background(), touched)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(contents[0]))
}

// A file that was touched is not loaded again.
func ExampleLedger_SameContent() {
	if err := plantLedger.SameContent(context.Background(), touched, []string{"3d1c7f0e-5b1a-4c53-9d3c-3c6a5c0d5a11"}); err != nil {
		log.Fatal(err)
	}
}

// A file that took the place of another one is loaded, though size and modification
// time are the same.
func ExampleLedger_NewContent() {
	if err := plantLedger.NewContent(context.Background(), touched); err != nil {
		log.Fatal(err)
	}
}

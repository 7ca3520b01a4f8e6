package watchio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/watchio"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	watchio.Register[noLedger]()
	register.Function1x0(printFile)
	register.Function1x0(printAndDrain)
}

// noLedger knows no file: everything is new.
type noLedger struct{}

func (noLedger) Lookup(_ context.Context, files []record.File) ([]record.FileState, error) {
	return make([]record.FileState, len(files)), nil
}

func printFile(w record.Work) { fmt.Println(filepath.Base(w.File.Path), w.File.Size) }

func printAndDrain(w record.Work) {
	printFile(w)
	runctl.Of("example").Drain(time.Minute)
}

func ExampleList() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id\n1\n"), 0o644)
	_ = os.WriteFile(filepath.Join(dir, "_unfinished.csv"), nil, 0o644)

	p, s := beam.NewPipelineWithRoot()
	files := watchio.List(s, filepath.Join(dir, "*.csv"), noLedger{})
	beam.ParDo0(s, printFile, files)
	if _, err := direct.Execute(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: a.csv 5
}

func ExampleWatch() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id\n1\n"), 0o644)

	p, s := beam.NewPipelineWithRoot()
	files := watchio.Watch(s, filepath.Join(dir, "*.csv"), noLedger{},
		watchio.WithRun("example"), watchio.WithBlocking(true), watchio.WithTriggerInterval(time.Second))
	beam.ParDo0(s, printAndDrain, files)
	if _, err := direct.Execute(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: a.csv 5
}

// What waits is what the pattern gives and the ledger is not done with.
func ExamplePending() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id\n1\n"), 0o644)

	works, err := watchio.Pending(context.Background(), filepath.Join(dir, "**", "*.csv"), noLedger{})
	for _, w := range works {
		fmt.Println(filepath.Base(w.File.Path), w.BytesLeft(), err)
	}
	// Output: a.csv 5 <nil>
}

// A pattern is checked before a pipeline is built, which would panic.
func ExampleCheck() {
	fmt.Println(watchio.Check("in/**/*.csv"))
	fmt.Println(watchio.Check("") != nil, watchio.Check("in/[.csv") != nil)
	// Output:
	// <nil>
	// true true
}

// A ledger's type is registered by the program that defines it; the one in
// PostgreSQL is postgresio.Ledger.
func ExampleRegister() { watchio.Register[noLedger]() }

// A job for each batch of files, on a runner that can't watch.
func ExampleNewBatches() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id\n1\n"), 0o644)

	batches, err := watchio.NewBatches(filepath.Join(dir, "*.csv"), noLedger{}, watchio.WithRun("example of batches"))
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := batches.Next(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, printFile, watchio.Given(s, batch))
	if _, err := direct.Execute(context.Background(), p); err != nil {
		batches.Again() // what it had comes again
	}
	// Output: a.csv 5
}

// Until the run drains Next waits for the next batch.
func ExampleBatches_Next() {
	batches, _ := watchio.NewBatches("in/*.csv", noLedger{}, watchio.WithRun("example of draining"))
	runctl.Of("example of draining").Drain(time.Minute)
	batch, err := batches.Next(context.Background())
	fmt.Println(len(batch), err)
	// Output: 0 <nil>
}

// After a job that has failed its files come again.
func ExampleBatches_Again() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id\n1\n"), 0o644)
	batches, _ := watchio.NewBatches(filepath.Join(dir, "*.csv"), noLedger{}, watchio.WithRun("example of again"), watchio.WithTriggerInterval(0))
	for range 2 {
		batch, _ := batches.Next(context.Background())
		printFile(batch[0])
		batches.Again()
	}
	// Output:
	// a.csv 5
	// a.csv 5
}

// What a batch holds, as a PCollection.
func ExampleGiven() {
	_, s := beam.NewPipelineWithRoot()
	var batch []record.Work // from Batches.Next
	_ = watchio.Given(s, append(batch, record.Work{File: record.File{Path: "in/a.csv", Size: 5}}))
}

// A runner's own source of ticks has the watcher look.
func ExampleOnTicks() {
	_, s := beam.NewPipelineWithRoot()
	var ticks beam.PCollection // of []byte, from the runner, each watchio.TickInterval(10*time.Second)
	if ticks.IsValid() {
		_ = watchio.OnTicks(s, ticks, "in/*.csv", noLedger{}, watchio.WithTriggerInterval(10*time.Second))
	}
}

func ExampleTickInterval() {
	fmt.Println(watchio.TickInterval(10*time.Second), watchio.TickInterval(0))
	// Output: 1s 10ms
}

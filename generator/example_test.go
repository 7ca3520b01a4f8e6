package generator_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/cartstream/cartstream/generator"
)

func ExampleRun() {
	folder, err := os.MkdirTemp("", "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()

	o := generator.DefaultOptions()
	o.OutputPath = filepath.Join(folder, "incoming")
	o.Manifest = filepath.Join(folder, "manifest.json")
	o.Interval = 0
	o.Count = 250
	o.InvalidRate = 0.02
	o.Seed = 1
	o.Start = time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)

	m, err := generator.Run(context.Background(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range m.Files {
		fmt.Println(f.Name, f.Events)
	}
	fmt.Println(m.Totals.Events == m.Totals.DistinctIDs+m.Totals.Duplicates+m.Totals.Rejected())
	// Output:
	// events_20260129_100000_000001.csv 100
	// events_20260129_100000_000002.csv 100
	// events_20260129_100000_000003.csv 50
	// true
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/pipeline"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

const parseName = "parse"

// parsed is what the parsing of a file says.
type parsed struct {
	Records int
	Seconds float64
}

func newParse(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: parseName + " FILE", Short: "Read, parse and judge a file, and say how long that took",
		Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := parseAlone(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return json.NewEncoder(stdout).Encode(p)
		},
	}
}

// parseAlone takes the pipeline's way from a file to the sink, without Beam and
// without the sink.
func parseAlone(ctx context.Context, path string) (p parsed, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return p, err
	}
	file := record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
	var rules pipeline.EventRules
	begin := time.Now()
	err = csvio.ReadAgain(ctx, file, csvio.Fingerprint[pipeline.Event](), func(r *record.Record[pipeline.Event]) error {
		if r.Kind != record.KindValue {
			return nil
		}
		if judged := transforms.Judge(rules, begin, r); judged.Kind != record.KindValue {
			return fmt.Errorf("a record is not valid: %w", judged.Fault)
		}
		p.Records++
		return nil
	})
	p.Seconds = time.Since(begin).Seconds()
	return p, err
}

// parse measures a process that has one core for everything.
func (b *bench) parse(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var rate []float64
	for range b.rounds {
		u, err := command{path: self, args: []string{parseName, d.files[0]}, env: []string{"GOMAXPROCS=1"}, dir: b.dir}.run(ctx)
		if err != nil {
			return nil, err
		}
		var p parsed
		if err := json.Unmarshal(u.stdout, &p); err != nil {
			return nil, err
		}
		if p.Records != d.rows {
			return nil, fmt.Errorf("%d records were parsed, %d are in the file", p.Records, d.rows)
		}
		rate = append(rate, float64(p.Records)/p.Seconds)
	}
	s := newSeries("parsing", perSecond, rate...)
	return []measure{newFigure("reading, parsing and rules alone, one core", goal{700_000, 1_500_000}, s.Median, s)}, nil
}

// generate measures the generator, whose files are 10,000 events each.
func (b *bench) generate(ctx context.Context) ([]measure, error) {
	spec := dataSpec{rows: b.rows, files: max(1, b.rows/10_000)}
	var rate []float64
	for range b.rounds {
		dir, err := os.MkdirTemp(b.dir, "generated-")
		if err != nil {
			return nil, err
		}
		u, err := b.generator(dir, spec).run(ctx)
		if err != nil {
			return nil, err
		}
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		rate = append(rate, float64(spec.rows)/u.wall.Seconds())
	}
	s := newSeries("cartstream generate", "events/s", rate...)
	return []measure{newFigure("generator, whole command into a folder", goal{500_000, 1_000_000}, s.Median, s)}, nil
}

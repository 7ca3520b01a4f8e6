package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cartstream/cartstream/generator"
)

// The generator writes the same bytes for the same of these.
const (
	seed  = 7
	since = "2025-01-01T00:00:00Z"
)

// columns of a file, and of the table but for ingested_at; header is the line that
// names them.
const columns = "event_id, user_id, product_id, product_name, product_category, event_type, price, event_timestamp"

var header = strings.ReplaceAll(columns, " ", "") + "\n"

// dataSpec says what files to generate.
type dataSpec struct {
	rows, files  int
	faults, gzip bool
}

// dataset is a folder of files.
type dataset struct {
	dir            string
	files          []string
	rows, distinct int // records, and the rows that they make in an empty table
	bytes          int64
}

func (d *dataset) pattern() string { return filepath.Join(d.dir, "*") }

// dataset returns the files of the spec, which are generated the first time.
func (b *bench) dataset(ctx context.Context, spec dataSpec) (*dataset, error) {
	if d := b.datasets[spec]; d != nil {
		return d, nil
	}
	d, err := b.newDataset(ctx, spec)
	if err == nil {
		b.datasets[spec] = d
	}
	return d, err
}

// newDataset generates files; whoever asks for them removes them.
func (b *bench) newDataset(ctx context.Context, spec dataSpec) (*dataset, error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	b.say("  generating %s rows in %s", number(float64(spec.rows)), plural(spec.files, "file"))
	manifest := dir + ".json"
	c := b.generator(dir, spec, "--manifest", manifest)
	if _, err := c.run(ctx); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return nil, err
	}
	var m generator.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("the generator's manifest: %w", err)
	}
	d := &dataset{dir: dir, rows: int(m.Totals.Events), distinct: int(m.Totals.DistinctIDs)}
	for _, f := range m.Files {
		d.files = append(d.files, filepath.Join(dir, f.Name))
		d.bytes += f.Bytes
	}
	return d, nil
}

// generator is the command that generates files.
func (b *bench) generator(dir string, spec dataSpec, more ...string) command {
	args := []string{
		"generate", "--quiet", "--output", dir, "--interval", "0", "--seed", strconv.Itoa(seed), "--start", since,
		"--count", strconv.Itoa(spec.rows), "--batch-size", strconv.Itoa(spec.rows / spec.files),
	}
	if spec.faults {
		args = append(args, "--duplicate-rate", "0.02", "--invalid-rate", "0.01")
	}
	if spec.gzip {
		args = append(args, "--gzip")
	}
	return command{path: b.program, args: append(args, more...), dir: b.dir}
}

// olderHalf writes every other record of a file with the year 2020 in place of its
// own, under the same key.
func (b *bench) olderHalf(d *dataset) (half *dataset, err error) {
	dir, err := os.MkdirTemp(b.dir, "half-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "older.csv")
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriter(out)
	_, _ = w.WriteString(header) // Flush tells
	rows := 0
	for line, err := range records(d.files[0]) {
		if err != nil {
			return nil, err
		}
		if rows++; rows%2 == 0 {
			copy(line[bytes.LastIndexByte(line, ',')+1:], "2020")
			_, _ = w.Write(line)
		}
	}
	rows /= 2
	return &dataset{dir: dir, files: []string{path}, rows: rows, distinct: rows}, w.Flush()
}

// cut writes each record of a file as a file of its own: the generator syncs every
// file, which takes long for as many.
func (b *bench) cut(d *dataset) (*dataset, error) {
	dir, err := os.MkdirTemp(b.dir, "known-")
	if err != nil {
		return nil, err
	}
	files := &dataset{dir: dir, rows: d.rows, distinct: d.distinct}
	for line, err := range records(d.files[0]) {
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, fmt.Sprintf("events_%06d.csv", len(files.files)))
		if err := os.WriteFile(path, append([]byte(header), line...), 0o644); err != nil {
			return nil, err
		}
		files.files = append(files.files, path)
	}
	return files, nil
}

// records gives the lines of a file behind its header, with their ends. Names have
// no newlines in them, so a line is a record.
func records(path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }() // read only
		r := bufio.NewReader(f)
		for first := true; ; first = false {
			line, err := r.ReadSlice('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			if !first && !yield(line, err) || err != nil {
				return
			}
		}
	}
}

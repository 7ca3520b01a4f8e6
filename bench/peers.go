package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer makes a candidate of another loader for a dataset. The error is of type
// skipped where it can't be had.
type peer struct {
	name      string
	candidate func(*bench, context.Context, *dataset) (candidate, error)
}

func peers() []peer {
	return []peer{
		{`psql \copy`, func(b *bench, _ context.Context, d *dataset) (candidate, error) { return b.copied(d) }},
		{"psql, staging table", func(b *bench, _ context.Context, d *dataset) (candidate, error) { return b.staged(d) }},
		{"pgloader", (*bench).pgloader},
		{"PySpark, at its best", (*bench).sparkAtBest},
		{"PySpark, own settings", (*bench).sparkAsIs},
	}
}

func (b *bench) peersOneFile(ctx context.Context) ([]measure, error) {
	return b.besidePeers(ctx, dataSpec{rows: b.rows, files: 1}, "%s rows, one file")
}

func (b *bench) peersSmallFiles(ctx context.Context) ([]measure, error) {
	return b.besidePeers(ctx, b.small(), "%s rows in files of 100")
}

// besidePeers has us and all peers that there are take turns.
func (b *bench) besidePeers(ctx context.Context, spec dataSpec, what string) ([]measure, error) {
	d, err := b.dataset(ctx, spec)
	if err != nil {
		return nil, err
	}
	candidates := []candidate{b.ours(d)}
	var missing []string
	for _, p := range peers() {
		c, err := p.candidate(b, ctx, d)
		var reason skipped
		switch {
		case errors.As(err, &reason):
			missing = append(missing, p.name+": "+string(reason))
			continue
		case err != nil:
			return nil, err
		}
		c.name = p.name
		c.gaveUp = func(err error) {
			b.say("  %s: %v", p.name, err)
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				err = exit
			}
			missing = append(missing, fmt.Sprintf("%s failed: %v", p.name, err))
		}
		candidates = append(candidates, c)
	}
	loads, err := b.turns(ctx, candidates...)
	if err != nil {
		return nil, err
	}
	var measures []measure
	for i, c := range candidates[1:] {
		if loads[i+1] == nil {
			continue
		}
		m := newRatio(fmt.Sprintf(what, number(float64(d.rows))), goal{}, rates(candidates[0].name, loads[0]), rates(c.name, loads[i+1]))
		m.Note = c.note
		measures = append(measures, m)
	}
	if missing != nil {
		return measures, skipped(strings.Join(missing, "; "))
	}
	return measures, nil
}

// staged is psql with a \copy of each file to a temporary table, and one INSERT of
// what is not there yet.
func (b *bench) staged(d *dataset) (candidate, error) {
	lines := []string{"create temporary table staging (like user_events including defaults);"}
	for _, path := range d.files {
		lines = append(lines, copyCommand("staging", path))
	}
	lines = append(lines, fmt.Sprintf("insert into user_events (%s) select %s from staging on conflict do nothing;", columns, columns))
	return b.script("", d, lines...)
}

// cached returns a folder of the user's cache that bring fills the first time. A
// peer that can't be brought is skipped.
func (b *bench) cached(name string, bring func(dir string) error) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(base, "cartstream", "peers")
	dir := filepath.Join(parent, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(parent, name+".new-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone by then, if all went well
	b.say("  bringing %s to the cache, once", name)
	if err := bring(fresh); err != nil {
		return "", skipped(strings.Join(strings.Fields(err.Error()), " "))
	}
	return dir, os.Rename(fresh, dir)
}

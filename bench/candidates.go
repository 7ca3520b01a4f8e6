package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ours is the product's load of what is there.
func (b *bench) ours(d *dataset, settings ...string) candidate {
	return candidate{
		name: "cartstream run", rows: d.rows, want: d.distinct,
		command: func(db database) command { return b.availableNow(d, db, settings...) },
	}
}

// availableNow loads the files and ends; the settings are variables.
func (b *bench) availableNow(d *dataset, db database, settings ...string) command {
	return command{
		path: b.program, args: []string{"run", "--quiet", "--available-now", "--input", d.pattern()},
		env: append(db.env, settings...), dir: b.dir,
	}
}

// loaded prepares a database in which the dataset is loaded already.
func (b *bench) loaded(d *dataset) func(context.Context, database) error {
	return func(ctx context.Context, db database) error {
		_, err := b.availableNow(d, db).run(ctx)
		return err
	}
}

// copyCommand is psql's, for one file.
func copyCommand(table, path string) string {
	return fmt.Sprintf(`\copy %s (%s) from '%s' csv header`, table, columns, strings.ReplaceAll(path, "'", "''"))
}

// copied is psql with a \copy for each file.
func (b *bench) copied(d *dataset) (candidate, error) {
	var lines []string
	for _, path := range d.files {
		lines = append(lines, copyCommand("user_events", path))
	}
	return b.script(`psql \copy`, d, lines...)
}

// script is psql with a script.
func (b *bench) script(name string, d *dataset, lines ...string) (candidate, error) {
	if b.server.psql == "" {
		return candidate{}, skipped("psql is not found")
	}
	path, err := b.newScript(strings.Join(lines, "\n") + "\n")
	if err != nil {
		return candidate{}, err
	}
	return candidate{
		name: name, rows: d.rows, want: d.distinct,
		command: func(db database) command {
			return command{path: b.server.psql, args: []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path}, env: db.env, dir: b.dir}
		},
	}, nil
}

// newScript writes a file that nobody else may read, and returns its path.
func (b *bench) newScript(text string) (string, error) {
	f, err := os.CreateTemp(b.dir, "script-")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	return f.Name(), errors.Join(err, f.Close())
}

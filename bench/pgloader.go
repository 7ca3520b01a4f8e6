package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pgloader is a command of its own for each database, whose connection it names.
func (b *bench) pgloader(ctx context.Context, d *dataset) (candidate, error) {
	path, err := b.findPgloader(ctx)
	if err != nil {
		return candidate{}, err
	}
	script, err := b.newScript("")
	if err != nil {
		return candidate{}, err
	}
	return candidate{
		rows: d.rows, want: d.distinct,
		prepare: func(_ context.Context, db database) error {
			return os.WriteFile(script, []byte(pgloaderScript(d, db)), 0o600)
		},
		command: func(database) command {
			return command{path: path, args: []string{"--quiet", "--on-error-stop", "--root-dir", filepath.Join(b.dir, "pgloader"), script}, dir: b.dir}
		},
	}, nil
}

// pgloaderScript loads all files of the folder.
func pgloaderScript(d *dataset, db database) string {
	return fmt.Sprintf(`LOAD CSV
  FROM ALL FILENAMES MATCHING ~/csv$/ IN DIRECTORY '%s'
  HAVING FIELDS (%s)
  INTO %s
  TARGET TABLE public.user_events
  TARGET COLUMNS (%s)
  WITH skip header = 1, fields terminated by ',', fields optionally enclosed by '"', fields escaped by double-quote;
`, d.dir, strings.Replace(columns, "price", "price [null if blanks]", 1), db.url, columns)
}

// findPgloader takes an installed one, else Debian's package, which needs no
// installation.
func (b *bench) findPgloader(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("pgloader"); err == nil {
		return path, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", skipped("it is not installed, and there is no apt-get to bring it")
	}
	dir, err := b.cached("pgloader", func(dir string) error {
		download := command{path: "apt-get", args: []string{"download", "--quiet", "pgloader"}, dir: dir}
		if _, err := download.run(ctx); err != nil {
			return err
		}
		packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(packages) != 1 {
			return fmt.Errorf("apt-get brought %d packages", len(packages))
		}
		unpack := command{path: "dpkg", args: []string{"-x", packages[0], dir}, dir: dir}
		if _, err := unpack.run(ctx); err != nil {
			return err
		}
		_, err = command{path: filepath.Join(dir, pgloaderPath), args: []string{"--version"}, dir: dir}.run(ctx)
		return err
	})
	return filepath.Join(dir, pgloaderPath), err
}

const pgloaderPath = "usr/bin/pgloader"

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// What the PySpark design is built with.
const (
	sparkPackage   = "pyspark==3.5.9"
	adapterPackage = "psycopg2-binary==2.9.13"
)

//go:embed pyspark_peer.py
var sparkScript []byte

// sparkAtBest takes all files at once, in long statements, and ends.
func (b *bench) sparkAtBest(ctx context.Context, d *dataset) (candidate, error) {
	return b.spark(ctx, d, "--max-files", "100000", "--page-size", "10000")
}

// sparkAsIs takes 5 files every 10 seconds, in statements of psycopg2's usual size.
// Of many files it sees a part only, for as long as we care to wait.
func (b *bench) sparkAsIs(ctx context.Context, d *dataset) (candidate, error) {
	args := []string{"--max-files", "5", "--trigger", "10", "--page-size", "100"}
	if len(d.files) == 1 {
		return b.spark(ctx, d, args...)
	}
	c, err := b.spark(ctx, d, append(args, "--seconds", strconv.Itoa(b.pyspark))...)
	c.note = fmt.Sprintf("5 files every 10 s; stopped after %d s, start-up not counted", b.pyspark)
	c.window = func(stdout []byte) (time.Duration, error) {
		var said struct{ Seconds float64 }
		err := json.Unmarshal(stdout, &said)
		return time.Duration(said.Seconds * float64(time.Second)), err
	}
	return c, err
}

func (b *bench) spark(ctx context.Context, d *dataset, args ...string) (candidate, error) {
	packages, err := b.findSpark(ctx)
	if err != nil {
		return candidate{}, err
	}
	script := filepath.Join(b.dir, "pyspark_peer.py")
	if err := os.WriteFile(script, sparkScript, 0o644); err != nil {
		return candidate{}, err
	}
	return candidate{
		rows: d.rows, want: d.distinct,
		command: func(db database) command {
			checkpoint := filepath.Join(b.dir, "checkpoint-"+db.name)
			all := append([]string{script, "--input", d.dir, "--checkpoint", checkpoint, "--rows", strconv.Itoa(d.rows)}, args...)
			env := slices.Concat(db.env, []string{"PYTHONPATH=" + packages, "SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_DIRS=" + b.dir, "PYSPARK_PYTHON=python3"})
			return command{path: "python3", args: all, env: env, dir: b.dir}
		},
	}, nil
}

// findSpark brings the packages, apart from all others of this machine.
func (b *bench) findSpark(ctx context.Context) (string, error) {
	for _, program := range []string{"java", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", skipped(program + " is not found")
		}
	}
	return b.cached(sparkPackage, func(dir string) error {
		install := command{
			path: "python3", args: []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", dir, sparkPackage, adapterPackage},
			env: []string{"PIP_ROOT_USER_ACTION=ignore"}, dir: b.dir,
		}
		_, err := install.run(ctx)
		return err
	})
}

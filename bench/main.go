// Command bench measures what Cartstream takes, beside psql and other loaders,
// and holds the figures against the bars of the project.
//
// It is a black box around the program that it builds: it makes its data with a
// seed, starts a PostgreSQL of its own with the default postgresql.conf, and has
// the candidates of a scenario take turns (A B A B …), each on a fresh database
// that has the tables of the product's migration. Only the ceiling of the database
// and the parsing alone are measured from within.
//
// Figures go to stdout, progress to stderr; files for machines and documents are
// written on request. See --help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

func main() {
	embeddedpg.RunChildIfAsked()
	if err := runCommand(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func runCommand() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return newCommand(os.Stdout, os.Stderr).ExecuteContext(ctx)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/io/postgresio"
)

func newHistory(a *app) *cobra.Command {
	var limit int
	var output string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "What became of each file, the newest first",
		Example: `  cartstream history
  cartstream history --limit 0 --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return fmt.Errorf("--limit is %d, allowed are 0 (all) and more", limit)
			}
			return a.query(cmd.Context(), output, func(ctx context.Context, pool *pgxpool.Pool) error {
				files, err := postgresio.History(ctx, pool, limit)
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(a.stdout, files)
				}
				return writeHistory(a.stdout, files)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many files; 0 for all")
	outputFlag(cmd, &output)
	return cmd
}

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "table", "table or json")
}

// query opens the database for a command that reads it.
func (a *app) query(ctx context.Context, output string, ask func(context.Context, *pgxpool.Pool) error) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("--output is %q, allowed are table and json", output)
	}
	settings, err := a.settings()
	if err != nil {
		return err
	}
	pool, err := a.database(settings).Open(ctx, 1)
	if err != nil {
		return failed(err)
	}
	defer pool.Close()
	err = ask(ctx, pool)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000") {
		err = fmt.Errorf("this database has no schema cartstream yet: nothing was loaded into it; 'cartstream migrate' makes the schema (%w)", err)
	}
	return failed(postgresio.SafeError(err))
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeHistory(w io.Writer, files []postgresio.FileHistory) error {
	if len(files) == 0 {
		_, err := fmt.Fprintln(w, "No file was loaded yet.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tSTATUS\tRECORDS\tINSERTED\tUPDATED\tDUPLICATES\tERRORS\tLAST LOAD\tFIRST ERROR")
	for _, f := range files {
		last, first := "", ""
		if f.LastLoad != nil {
			last = f.LastLoad.UTC().Format("2006-01-02 15:04:05Z")
		}
		if f.FirstError != nil {
			first = *f.FirstError
		}
		if f.ErrorLine != nil {
			first = fmt.Sprintf("line %d: %s", *f.ErrorLine, first)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n",
			printable(f.File), f.Status, f.Records, f.Inserted, f.Updated, f.Duplicates, f.Errors, last, printable(first))
	}
	return t.Flush()
}

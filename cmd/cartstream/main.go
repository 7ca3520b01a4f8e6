// Command cartstream brings CSV files into PostgreSQL, every row exactly once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/pipeline"
	"github.com/cartstream/cartstream/pipeline/jobserver"
)

func main() {
	boundMemory()
	jobserver.RunWorkerIfAsked()
	embeddedpg.RunChildIfAsked()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitSecondSignal is 128 + SIGINT, as shells have it.
	exitSecondSignal = 130
)

// failure is an error of work that was asked for rightly; every other error is
// one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr, log: &liveLine{w: stderr}}
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	status := exitUsage
	if f := (failure{}); errors.As(err, &f) {
		status = exitFailed
	}
	a.report(err, status)
	return status
}

// report says at the end why there is no result, in the form of the log.
func (a *app) report(err error, status int) {
	if a.logFormat == "json" {
		slog.New(slog.NewJSONHandler(a.stderr, nil)).Error(err.Error(), "exit_status", status)
		return
	}
	text := "Error: " + escape(err.Error(), "\n\t")
	if status == exitUsage {
		text += "\nRun 'cartstream --help' for usage."
	}
	_, _ = fmt.Fprintln(a.stderr, text) // nobody is left to tell
}

// app is what all subcommands share.
type app struct {
	stdout, stderr io.Writer
	// log is stderr, for whole lines.
	log        *liveLine
	configPath string
	logFormat  string
	logLevel   string
	quiet      bool
	pprof      string
}

func (a *app) settings() (pipeline.Settings, error) { return pipeline.LoadSettings(a.configPath) }

// settingsWith are the settings with the patterns that --input gave, if any.
func (a *app) settingsWith(input []string) (pipeline.Settings, error) {
	s, err := a.settings()
	if err != nil {
		return s, err
	}
	if input != nil {
		s.Streaming.Input = input
	}
	err = pipeline.CheckInput(s.Streaming.Input)
	return s, err
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "cartstream",
		Short: "CSV files into PostgreSQL, every row exactly once",
		Long: `Cartstream takes CSV files as they appear in a folder and brings every row into
PostgreSQL exactly once, or into the dead letters with its file, line and reason.

The database is named by DATABASE_URL or by the PG* variables of libpq.
Exit status: 0 done, 1 failed, 2 wrong usage, 130 ended by a second signal.`,
		Example: `  cartstream up                                    everything on this machine
  cartstream run --available-now --input 'in/*.csv'  load what is there, then end
  cartstream history                               what became of each file
  cartstream verify                                prove that nothing is missing`,
		Version:      version(),
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := a.setUpLog(); err != nil {
				return err
			}
			return servePprof(a.pprof)
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("cartstream {{.Version}}\n")
	root.SetFlagErrorFunc(explainFlag)
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "settings file (default: settings.yaml, where there is one)")
	root.PersistentFlags().StringVar(&a.logFormat, "log-format", "text", "log lines on stderr as text or json")
	root.PersistentFlags().StringVar(&a.logLevel, "log-level", "info", "least level of log lines: debug, info, warn or error")
	root.PersistentFlags().BoolVar(&a.quiet, "quiet", false, "log errors only")
	root.PersistentFlags().StringVar(&a.pprof, "pprof", "", "address to serve profiles of this process on, such as 127.0.0.1:6060")
	complete(root, "log-format", "text", "json")
	complete(root, "log-level", "debug", "info", "warn", "error")
	root.AddCommand(newUp(a), newRun(a), newGenerate(a), newStatus(a), newHistory(a), newDeadLetters(a), newVerify(a), newRetry(a), newJob(a), newMigrate(a), newConfig(a))
	return root
}

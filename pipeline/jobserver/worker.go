package jobserver

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/harness"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
)

// RunWorkerIfAsked makes this process a worker when Beam's boot program has
// started it as one, that is with the flag --worker: it works until the runner
// lets go of it, and exits. Otherwise it returns at once. It is to be the first
// thing that main does.
//
// The SDK's own worker, when it was let go, waits to be ended; where nobody does,
// as after the end of a job server, it stays for ever.
func RunWorkerIfAsked() {
	if !workerAsked(os.Args[1:]) {
		return
	}
	removeCopy()
	err := runWorker(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "The worker ended:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bootCopy is where Beam's boot program puts a copy of the worker's binary, at
// each start, and leaves it.
var bootCopy = regexp.MustCompile(`^/tmp/bin\d+/worker$`)

// removeCopy removes the copy that this process was started from: the system
// keeps what it needs of it until the end of the process.
func removeCopy() {
	if path, err := os.Executable(); err == nil && bootCopy.MatchString(path) {
		_ = os.RemoveAll(filepath.Dir(path)) // what can't be removed is only a waste
	}
}

func workerAsked(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"worker", "worker=true"}, strings.TrimLeft(a, "-")) && strings.HasPrefix(a, "-")
	})
}

// runWorker works until the runner lets go of it. Flags and environment are
// those of Beam's container contract.
func runWorker(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Bool("worker", true, "")
	id := flags.String("id", "", "")
	logging := flags.String("logging_endpoint", "", "")
	control := flags.String("control_endpoint", "", "")
	flags.String("semi_persist_dir", "", "")
	options := flags.String("options", "", "")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("the flags of a worker: %w", err)
	}
	if *control == "" {
		return errors.New("the flags of a worker: --control_endpoint is missing; Beam's boot program gives it")
	}
	if err := importOptions(*options); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(grpcx.WriteWorkerID(ctx, *id))
	defer cancel()
	logToRunner()
	return harness.MainWithOptions(ctx, *logging, *control, harness.Options{
		StatusEndpoint:     os.Getenv("STATUS_ENDPOINT"),
		RunnerCapabilities: strings.Fields(os.Getenv("RUNNER_CAPABILITIES")),
	})
}

// importOptions takes over the options of the SDK that the submitting process
// has set.
func importOptions(options string) error {
	if file := os.Getenv("PIPELINE_OPTIONS_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("the pipeline's options: %w", err)
		}
		options = string(text)
	}
	var all runtime.RawOptionsWrapper
	if err := json.Unmarshal([]byte(options), &all); options != "" && err != nil {
		return fmt.Errorf("the pipeline's options: %w", err)
	}
	runtime.GlobalOptions.Import(all.Options)
	return nil
}

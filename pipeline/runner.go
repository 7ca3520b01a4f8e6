package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
)

// The runners. All load the same. Direct, the default, is one line of work from
// the file to the sink and starts at once; prism, the SDK's own default, spreads
// ranges over up to 8 of them; both are in this process. Flink and Spark are
// clusters, reached through Beam's job servers.
const (
	RunnerDirect = "direct"
	RunnerPrism  = "prism"
	RunnerFlink  = "flink"
	RunnerSpark  = "spark"
)

// Runners are the names of all runners.
func Runners() []string { return []string{RunnerDirect, RunnerPrism, RunnerFlink, RunnerSpark} }

// inProcess are the runners of this process.
var inProcess = map[string]func(context.Context, *beam.Pipeline) (beam.PipelineResult, error){
	RunnerDirect: direct.Execute,
	RunnerPrism:  prism.Execute,
}

func (o Options) runner() string { return cmp.Or(o.Runner, RunnerDirect) }

// CheckRunner tells whether there is a runner of that name, and whether it can
// do what the settings ask for.
func CheckRunner(s Settings, name string) error {
	if !slices.Contains(Runners(), name) {
		return fmt.Errorf("the runner is %q, allowed are %s", name, strings.Join(Runners(), ", "))
	}
	if name != RunnerDirect && s.Postgres.inOrder() {
		return fmt.Errorf("the runner is %q, which spreads the files over several workers, and without postgres.version_column an upsert "+
			"has the last record in the order of files and lines win; name a version_column, or use %s", name, RunnerDirect)
	}
	return nil
}

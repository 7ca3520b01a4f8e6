package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
)

// The runners of this process. Both load the same; direct, the default, is one
// line of work from the file to the sink and starts at once, prism is the SDK's own
// default and spreads ranges over up to 8 of them.
const (
	RunnerDirect = "direct"
	RunnerPrism  = "prism"
)

var runners = map[string]func(context.Context, *beam.Pipeline) (beam.PipelineResult, error){
	RunnerDirect: direct.Execute,
	RunnerPrism:  prism.Execute,
}

func (o Options) runner() string { return cmp.Or(o.Runner, RunnerDirect) }

// CheckRunner tells whether there is a runner of that name, and whether it can
// do what the settings ask for.
func CheckRunner(s Settings, name string) error {
	if runners[name] == nil {
		return fmt.Errorf("the runner is %q, allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(runners)), " and "))
	}
	if name != RunnerDirect && s.Postgres.inOrder() {
		return fmt.Errorf("the runner is %q, which spreads the files over several workers, and without postgres.version_column an upsert "+
			"has the last record in the order of files and lines win; name a version_column, or use %s", name, RunnerDirect)
	}
	return nil
}

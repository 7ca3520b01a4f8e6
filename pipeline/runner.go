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

// CheckRunner tells whether there is a runner of that name.
func CheckRunner(name string) error {
	if runners[name] == nil {
		return fmt.Errorf("the runner is %q, allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(runners)), " and "))
	}
	return nil
}

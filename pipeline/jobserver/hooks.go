package jobserver

import (
	"context"
	"log/slog"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/harness"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/util/hooks"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
)

// tellFailures is the hook of workers in the submitting process by which a
// person hears of bundles that fail: a runner that tries them again does not say
// so over the job API.
const tellFailures = "cartstream_tell_failures"

func init() {
	hooks.RegisterHook(tellFailures, func([]string) hooks.Hook {
		return hooks.Hook{Resp: func(ctx context.Context, _ *fnpb.InstructionRequest, resp *fnpb.InstructionResponse) error {
			if text := resp.GetError(); text != "" {
				slog.WarnContext(ctx, "Work failed; whether it is tried again is the cluster's decision", "error", cause(text))
			}
			return nil
		}}
	})
}

// hook has the workers log where they are looked for: those of this process
// here, others at the runner. It goes to the workers among the SDK's options.
func (e Environment) hook() error {
	on, off := harness.DefaultRemoteLoggingHook, tellFailures
	if e.kind() == Loopback {
		on, off = off, on
	}
	hooks.DisableHook(off)
	err := hooks.EnableHook(on)
	hooks.SerializeHooksToOptions()
	return err
}

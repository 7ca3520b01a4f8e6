package jobserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/extworker"
	"google.golang.org/protobuf/encoding/protojson"
)

// What Environment.Type may be.
const (
	// Loopback has the workers in the submitting process: for trying things out, and
	// for clusters on the same machine.
	Loopback = "LOOPBACK"
	// Process has each machine of the cluster start the worker as a process, by Beam's
	// boot program.
	Process = "PROCESS"
	// Docker has it start as a container.
	Docker = "DOCKER"
	// External has a worker pool that runs already start it.
	External = "EXTERNAL"
)

// EnvironmentTypes are the types there are.
var EnvironmentTypes = []string{Loopback, Process, Docker, External}

// Environment says where a job's workers run.
type Environment struct {
	// Type is one of the constants; empty is Loopback.
	Type string
	// Config is for PROCESS JSON of the form {"command": "/path/to/boot", "env":
	// {"NAME": "value"}}, or the path of the boot program alone; for DOCKER the image
	// (empty: the SDK's own); for EXTERNAL the host and port of the pool. It stands
	// in the job in clear.
	Config string
	// Worker is the binary that is sent to the cluster; empty is the running one.
	Worker string
}

// Check tells whether the environment makes sense.
func (e Environment) Check() error {
	switch e.kind() {
	case Loopback:
		if e.Config != "" {
			return fmt.Errorf("the environment config is %q, but %s has none", e.Config, Loopback)
		}
		if e.Worker != "" {
			return fmt.Errorf("a worker binary is sent to workers elsewhere, but with %s they are here; found %q", Loopback, e.Worker)
		}
	case Process:
		if e.Config == "" {
			return errors.New(`PROCESS needs an environment config: the path of Beam's boot program (deploy/boot builds it and prints the path), ` +
				`or JSON as in {"command": "/opt/beam/boot", "env": {"PGPASSFILE": "/etc/cartstream/pgpass"}}`)
		}
	case External:
		if CheckEndpoint(e.Config) != nil {
			return fmt.Errorf("EXTERNAL needs an environment config, the host and port of a worker pool, as in localhost:50000; found %q", e.Config)
		}
	case Docker:
	default:
		return fmt.Errorf("the environment type is %q, allowed are %s", e.Type, strings.Join(EnvironmentTypes, ", "))
	}
	if e.kind() == Process {
		var payload pipepb.ProcessPayload
		err := protojson.Unmarshal([]byte(e.config()), &payload)
		if err == nil && payload.GetCommand() == "" {
			err = errors.New("it has no command")
		}
		if err != nil {
			return fmt.Errorf("the environment config is %q, allowed is JSON as in {\"command\": \"/opt/beam/boot\"}: %w", e.Config, err)
		}
	}
	if e.Worker != "" {
		if _, err := os.Stat(e.Worker); err != nil {
			return fmt.Errorf("the worker binary: %w", err)
		}
	}
	return nil
}

func (e Environment) kind() string {
	if e.Type == "" {
		return Loopback
	}
	return strings.ToUpper(e.Type)
}

func (e Environment) urn() string {
	switch e.kind() {
	case Process:
		return graphx.URNEnvProcess
	case Docker:
		return graphx.URNEnvDocker
	}
	return graphx.URNEnvExternal
}

func (e Environment) config() string {
	switch {
	case e.kind() == Process && !strings.HasPrefix(strings.TrimSpace(e.Config), "{"):
		return fmt.Sprintf(`{"command": %q}`, e.Config)
	case e.kind() == Docker && e.Config == "":
		return core.DefaultDockerImage
	}
	return e.Config
}

// workers is where a job's workers run, as Beam's job API has it, and the binary
// that is to be sent there, if any.
type workers struct {
	environment *pipepb.Environment
	binary      string
	// stop ends the workers that run in this process.
	stop func()
}

// start starts what of the workers is to run in this process.
func (e Environment) start(ctx context.Context) (*workers, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	if e.kind() != Loopback {
		environment, err := graphx.CreateEnvironment(ctx, e.urn(), func(context.Context) string { return e.config() })
		if err != nil {
			return nil, err
		}
		binary := e.Worker
		if binary == "" {
			if binary, err = os.Executable(); err != nil {
				return nil, fmt.Errorf("the binary for the workers: %w", err)
			}
		}
		return &workers{environment: environment, binary: binary, stop: func() {}}, nil
	}
	service, err := extworker.StartLoopback(context.WithoutCancel(ctx), 0)
	if err != nil {
		return nil, fmt.Errorf("starting the workers of this process: %w", err)
	}
	environment, err := graphx.CreateEnvironment(ctx, e.urn(), service.EnvironmentConfig)
	if err != nil {
		return nil, err
	}
	environment.Dependencies = nil // the code is here
	return &workers{environment: environment, stop: func() { _ = service.Stop(ctx) }}, nil
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cartstream/cartstream/pipeline"
	"github.com/cartstream/cartstream/pipeline/jobserver"
)

// clusterFlags are those of a run on Flink or Spark, by the names that Beam has
// for them.
type clusterFlags struct {
	cluster pipeline.Cluster
	options []string
	names   []string
}

func addClusterFlags(cmd *cobra.Command) *clusterFlags {
	c := &clusterFlags{}
	flags := pflag.NewFlagSet("cluster", pflag.ContinueOnError)
	endpointFlag(flags, &c.cluster.Endpoint)
	flinkRESTFlag(flags, &c.cluster.FlinkREST, jobserver.DefaultFlinkREST)
	flags.StringVar(&c.cluster.JobName, "job-name", "cartstream", "name of the job")
	flags.StringVar(&c.cluster.Environment.Type, "environment-type", jobserver.Loopback,
		"where the workers run: LOOPBACK (in this process), PROCESS, DOCKER or EXTERNAL")
	flags.StringVar(&c.cluster.Environment.Config, "environment-config", "",
		"for PROCESS the path of Beam's boot program or JSON with it, for DOCKER the image, for EXTERNAL host:port of the worker pool")
	flags.StringVar(&c.cluster.Environment.Worker, "worker-binary", "", "binary to send to the workers (default: this one)")
	flags.IntVar(&c.cluster.Parallelism, "parallelism", 0, "workers at a time (default: the cluster's own)")
	flags.StringVar(&c.cluster.SavepointPath, "savepoint-path", "", "savepoint or checkpoint that a job on Flink goes on from")
	flags.BoolVar(&c.cluster.Async, "async", false, "end as soon as the job is submitted")
	flags.StringArrayVar(&c.options, "runner-option", nil, "other pipeline option of the runner, as name=value (may be given several times)")
	flags.VisitAll(func(f *pflag.Flag) { c.names = append(c.names, f.Name) })
	cmd.Flags().AddFlagSet(flags)
	cmd.Flags().SetNormalizeFunc(dashes)
	complete(cmd, "environment-type", jobserver.EnvironmentTypes...)
	return c
}

func endpointFlag(flags *pflag.FlagSet, endpoint *string) {
	flags.StringVar(endpoint, "endpoint", pipeline.DefaultEndpoint, "host and port of the job server")
}

func flinkRESTFlag(flags *pflag.FlagSet, address *string, value string) {
	flags.StringVar(address, "flink-rest", value, "host and port, or ports, of Flink's own REST service, by which jobs are cancelled and restarts told")
}

// dashes takes Beam's own spelling of its flags, --environment_type, too.
func dashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// of returns what was given, checked for the runner.
func (c *clusterFlags) of(cmd *cobra.Command, runner string, availableNow bool) (pipeline.Cluster, error) {
	if runner != pipeline.RunnerFlink && runner != pipeline.RunnerSpark {
		for _, name := range c.names {
			if cmd.Flags().Changed(name) {
				return c.cluster, fmt.Errorf("--%s is for --runner %s and %s, but the runner is %s", name, pipeline.RunnerFlink, pipeline.RunnerSpark, runner)
			}
		}
	}
	c.cluster.Options = map[string]any{}
	for _, option := range c.options {
		name, value, ok := strings.Cut(option, "=")
		if !ok || name == "" {
			return c.cluster, fmt.Errorf("--runner-option is %q, allowed is name=value, as in max_bundle_size=100", option)
		}
		c.cluster.Options[name] = optionValue(value)
	}
	return c.cluster, c.cluster.Check(runner, availableNow)
}

// optionValue is a boolean, a number or a list where the text is JSON of that
// kind, else the text itself.
func optionValue(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil || value == nil {
		return text
	}
	return value
}

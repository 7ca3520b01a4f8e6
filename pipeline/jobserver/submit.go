package jobserver

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/runnerlib"
	"google.golang.org/protobuf/types/known/structpb"
)

// Submission says how a pipeline is to be run.
type Submission struct {
	// Name is the job's name; empty is "cartstream".
	Name        string
	Environment Environment
	// FlinkREST is the address of Flink's own REST service, HOST:PORT or
	// HOST:FROM-TO, by which jobs are cancelled and restarts told; empty on other
	// runners.
	FlinkREST string
	// Level is that of what is logged of the job's way.
	Level slog.Level
	// Options are the runner's pipeline options by their names, as in
	// "checkpointing_interval"; booleans, numbers, texts and lists of texts.
	Options map[string]any
}

// Submit submits a pipeline. Wait must follow, or Detach.
func (s *Server) Submit(ctx context.Context, p *beam.Pipeline, sub Submission) (*Job, error) {
	workers, err := sub.Environment.start(ctx)
	if err != nil {
		return nil, err
	}
	job, err := s.submit(ctx, p, sub, workers)
	if err != nil {
		workers.stop()
		return nil, err
	}
	return job, nil
}

func (s *Server) submit(ctx context.Context, p *beam.Pipeline, sub Submission, w *workers) (*Job, error) {
	if sub.Name == "" {
		sub.Name = "cartstream"
	}
	pipeline, err := translate(p, w)
	if err != nil {
		return nil, fmt.Errorf("translating the pipeline: %w", err)
	}
	options, err := sub.options()
	if err != nil {
		return nil, fmt.Errorf("the runner's options: %w", err)
	}
	prepared, err := s.jobs.Prepare(ctx, &jobpb.PrepareJobRequest{Pipeline: pipeline, PipelineOptions: options, JobName: sub.Name})
	if err != nil {
		return nil, s.away("preparing the job", err)
	}
	token, err := runnerlib.Stage(ctx, prepared.GetPreparationId(), prepared.GetArtifactStagingEndpoint().GetUrl(), w.binary, prepared.GetStagingSessionToken())
	if err != nil {
		return nil, s.away("taking the worker's binary", err)
	}
	run, err := s.jobs.Run(ctx, &jobpb.RunJobRequest{PreparationId: prepared.GetPreparationId(), RetrievalToken: token})
	if err != nil {
		return nil, s.away("starting the job", err)
	}
	slog.Log(ctx, sub.Level, "Submitted a job", "job", run.GetJobId(), "endpoint", s.endpoint)
	return &Job{ID: run.GetJobId(), server: s, pipeline: pipeline, workers: w, level: sub.Level, flinkREST: sub.FlinkREST}, nil
}

// translate turns the graph into the form of Beam's job API.
func translate(p *beam.Pipeline, w *workers) (*pipepb.Pipeline, error) {
	edges, _, err := p.Build()
	if err != nil {
		return nil, err
	}
	pipeline, err := graphx.Marshal(edges, &graphx.Options{Environment: w.environment})
	if err == nil && w.binary != "" {
		err = runnerlib.UpdateGoEnvironmentWorker(w.binary, pipeline)
	}
	return pipeline, err
}

// options are the runner's, under the names that Beam's job API has for them,
// beside those of the SDK.
func (sub Submission) options() (*structpb.Struct, error) {
	if err := sub.Environment.hook(); err != nil {
		return nil, err
	}
	all := map[string]any{
		optionURN("go_options"):  beam.PipelineOptions.Export(),
		optionURN("app_name"):    sub.Name,
		optionURN("experiments"): []string{"beam_fn_api"},
	}
	if sub.FlinkREST != "" {
		all[optionURN(flinkRESTOption)] = sub.FlinkREST
	}
	for name, value := range maps.All(sub.Options) {
		if d, ok := value.(time.Duration); ok {
			value = d.Milliseconds()
		}
		all[optionURN(name)] = value
	}
	return tools.OptionsToProto(all)
}

// flinkRESTOption is an option of ours by which those who cancel a job find
// Flink.
const flinkRESTOption = "cartstream_flink_rest"

// optionURN is the name of a pipeline option in the job API.
func optionURN(name string) string { return "beam:option:" + name + ":v1" }

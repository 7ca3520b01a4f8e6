package jobserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/metricsx"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
)

// Job is a pipeline that was submitted.
type Job struct {
	ID       string
	server   *Server
	pipeline *pipepb.Pipeline
	workers  *workers
	level    slog.Level
	// flinkREST is empty on other runners.
	flinkREST string
}

// ErrCancelled is the end of a job that was cancelled.
var ErrCancelled = errors.New("the job was cancelled; what it had not committed is loaded by the next run")

// Error is the end of a job that failed.
type Error struct {
	ID string
	// Cause is what went wrong first, in one line.
	Cause string
	// Detail is all that the runner said.
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("job %s failed: %s", e.ID, e.Cause) }

// Wait follows the job until it has ended, and logs its states and messages as
// they come. It returns nil when the job is done, ErrCancelled, or an *Error;
// another error says that the job server could not be asked any more, while the
// job may go on. When ctx ends Wait does, and the job goes on.
func (j *Job) Wait(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if f, err := parseFlinkREST(j.flinkREST); err == nil {
		go f.tellRestarts(ctx, j.ID)
	}
	err := j.follow(ctx)
	if failed := (*Error)(nil); errors.As(err, &failed) && failed.Cause == flinkCancelled {
		return ErrCancelled
	}
	return err
}

// flinkCancelled is how Flink says that a job was cancelled.
const flinkCancelled = "Job was cancelled."

func (j *Job) follow(ctx context.Context) error {
	stream, err := j.server.jobs.GetMessageStream(ctx, &jobpb.JobMessagesRequest{JobId: j.ID})
	if err != nil {
		return j.server.failed("following job "+j.ID, err)
	}
	var failed *Error
	said := ""
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return j.outcome(ctx, failed)
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && failed != nil:
			return failed
		case err != nil:
			return j.server.failed("following job "+j.ID, err)
		}
		if message := m.GetMessageResponse(); message != nil {
			text := message.GetMessageText()
			if message.GetImportance() >= jobpb.JobMessage_JOB_MESSAGE_ERROR {
				said = text
			}
			tell(ctx, message.GetImportance(), text)
		}
		switch state := m.GetStateResponse(); {
		case state == nil:
		case state.GetState() == jobpb.JobState_DONE:
			slog.Log(ctx, j.level, "The job is done", "job", j.ID)
			return nil
		case state.GetState() == jobpb.JobState_CANCELLED:
			return ErrCancelled
		case state.GetState() == jobpb.JobState_FAILED:
			failed = &Error{ID: j.ID}
		case state.GetState() == jobpb.JobState_RUNNING:
			slog.Log(ctx, j.level, "The job is running", "job", j.ID)
		default: // STOPPED, before it is STARTING
			slog.DebugContext(ctx, "The job is "+state.GetState().String(), "job", j.ID)
		}
		if failed != nil && said != "" { // the reason comes before or after the state
			failed.Cause, failed.Detail = cause(said), said
			return failed
		}
	}
}

// outcome is what became of a job whose stream has ended without saying it.
func (j *Job) outcome(ctx context.Context, failed *Error) error {
	if failed != nil {
		failed.Cause = "the runner gives no reason; its own log may"
		return failed
	}
	event, err := j.server.jobs.GetState(ctx, &jobpb.GetJobStateRequest{JobId: j.ID})
	switch {
	case err != nil:
		return j.server.failed("asking for the state of job "+j.ID, err)
	case event.GetState() == jobpb.JobState_DONE:
		return nil
	case event.GetState() == jobpb.JobState_CANCELLED:
		return ErrCancelled
	}
	return &Error{ID: j.ID, Cause: "its messages ended in state " + event.GetState().String()}
}

// tell logs a message of the runner. What is more than a line is kept for those
// who look deeper.
func tell(ctx context.Context, importance jobpb.JobMessage_MessageImportance, text string) {
	switch {
	case importance >= jobpb.JobMessage_JOB_MESSAGE_ERROR: // Wait returns it
		slog.DebugContext(ctx, "The runner says: "+text)
	case importance == jobpb.JobMessage_JOB_MESSAGE_WARNING:
		slog.WarnContext(ctx, "The runner says: "+text)
	case importance == jobpb.JobMessage_JOB_MESSAGE_BASIC:
		slog.InfoContext(ctx, "The runner says: "+text)
	default:
		slog.DebugContext(ctx, "The runner says: "+text)
	}
}

// Cancel cancels the job and returns when it has ended.
func (j *Job) Cancel(ctx context.Context) error { return j.server.Cancel(ctx, j.ID, j.flinkREST) }

// Counters returns Beam's counters of the job by their names, without their
// namespaces; counters of one name are added up. They count what was tried: work
// that a runner did again after a failure counts again.
func (j *Job) Counters(ctx context.Context) (map[string]int64, error) {
	resp, err := j.server.jobs.GetJobMetrics(ctx, &jobpb.GetJobMetricsRequest{JobId: j.ID})
	if err != nil {
		return nil, j.server.failed("asking for the metrics of job "+j.ID, err)
	}
	counters := map[string]int64{}
	results := metricsx.FromMonitoringInfos(j.pipeline, resp.GetMetrics().GetAttempted(), resp.GetMetrics().GetCommitted())
	for _, c := range results.AllMetrics().Counters() {
		counters[c.Key.Name] += c.Attempted
	}
	return counters, nil
}

// Close ends the workers that run in this process. The job should have ended.
func (j *Job) Close() { j.workers.stop() }

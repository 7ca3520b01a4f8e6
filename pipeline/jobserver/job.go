package jobserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

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

// ErrAway says that the job server could not be asked any more.
var ErrAway = errors.New("the job server is away")

// Error is the end of a job that failed.
type Error struct {
	ID string
	// Cause is what went wrong first, in one line.
	Cause string
	// Detail is all that the runner said.
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("job %s failed: %s", e.ID, e.Cause) }

// Wait follows the job until it has ended, and logs its states and messages. It returns nil when the job is done, ErrCancelled, or an *Error;
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

// statePause is the time between two looks at the job's state. They are looks,
// because a stream of states that its reader leaves breaks the job server's own
// record of the job (2.62.0): the job would be RUNNING there for ever.
const statePause = 50 * time.Millisecond

// followBound is how long a job server that does not answer is waited for.
const followBound = time.Minute

func (j *Job) follow(ctx context.Context) error {
	var told jobpb.JobState_Enum
	answered := time.Now()
	for {
		state, err := j.server.state(ctx, j.ID)
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && time.Since(answered) >= followBound, errors.Is(err, errNoJob):
			return fmt.Errorf("%w: the job may go on in the cluster, and the next run loads what it does not: %w", ErrAway, err)
		case err == nil:
			answered = time.Now()
			if state != told {
				told = state
				j.tellState(ctx, state)
			}
			if ended(state) {
				return j.outcome(ctx, state)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(statePause):
		}
	}
}

func (j *Job) tellState(ctx context.Context, state jobpb.JobState_Enum) {
	level := slog.LevelDebug
	switch state {
	case jobpb.JobState_RUNNING, jobpb.JobState_DONE:
		level = j.level
	}
	slog.Log(ctx, level, "The job is "+strings.ToLower(state.String()), "job", j.ID)
}

// outcome is what became of a job that has ended.
func (j *Job) outcome(ctx context.Context, state jobpb.JobState_Enum) error {
	said := j.messages(ctx)
	switch {
	case state == jobpb.JobState_DONE:
		return nil
	case state == jobpb.JobState_CANCELLED:
		return ErrCancelled
	case said == "":
		return &Error{ID: j.ID, Cause: "the runner gives no reason; its own log may"}
	}
	return &Error{ID: j.ID, Cause: cause(said), Detail: said}
}

// messagesBound is how long the messages of a job that has ended may take.
const messagesBound = 5 * time.Second

// messages logs what the runner has said of a job that has ended, and returns
// its error, with all that led to it where the runner has said that too.
func (j *Job) messages(ctx context.Context) (failure string) {
	ctx, cancel := context.WithTimeout(ctx, messagesBound)
	defer cancel()
	stream, err := j.server.jobs.GetMessageStream(ctx, &jobpb.JobMessagesRequest{JobId: j.ID})
	var texts []string
	for err == nil {
		var m *jobpb.JobMessagesResponse
		if m, err = stream.Recv(); err != nil {
			break
		}
		if message := m.GetMessageResponse(); message != nil {
			text := message.GetMessageText()
			tell(ctx, message.GetImportance(), text)
			texts = append(texts, text)
			if message.GetImportance() >= jobpb.JobMessage_JOB_MESSAGE_ERROR {
				failure = text
			}
		}
	}
	for _, text := range texts {
		if strings.Contains(text, failure) && len(text) > len(failure) {
			failure = text
		}
	}
	return failure
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
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
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

// Package jobserver runs pipelines on Flink and Spark through Beam's job
// servers: it submits them with the runner's own options, which the Go SDK's
// runner can't pass on, follows them, and cancels them.
//
//	server, err := jobserver.Dial(ctx, "localhost:8099")
//	job, err := server.Submit(ctx, p, jobserver.Submission{
//		Name: "orders", Environment: jobserver.Environment{Type: jobserver.Loopback},
//		Options: map[string]any{"streaming": true, "checkpointing_interval": 10_000},
//	})
//	err = job.Wait(ctx)
//
// A program whose binary is to work for a cluster calls RunWorkerIfAsked first.
package jobserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callBound is how long a job server may take to answer a question.
const callBound = 15 * time.Second

// The waiting of Dial: how often a job server is tried, and how long each time.
const (
	dialTries = 30
	dialBound = 2 * time.Second
)

// Server is a connection to a job server.
type Server struct {
	endpoint string
	conn     *grpc.ClientConn
	jobs     jobpb.JobServiceClient
}

// Dial waits until the job server at endpoint, a host and a port, answers: 30
// tries of 2 s, each logged. Close must follow.
func Dial(ctx context.Context, endpoint string) (*Server, error) {
	return dial(ctx, endpoint, dialTries)
}

// DialNow is Dial that tries once: for questions to a job server that must be
// there.
func DialNow(ctx context.Context, endpoint string) (*Server, error) { return dial(ctx, endpoint, 1) }

func dial(ctx context.Context, endpoint string, tries int) (*Server, error) {
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		conn, err := grpcx.Dial(ctx, endpoint, dialBound)
		switch {
		case err == nil:
			return &Server{endpoint: endpoint, conn: conn, jobs: jobpb.NewJobServiceClient(conn)}, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case try == tries:
			return nil, fmt.Errorf("there is no job server at %s, tried for %s; start one (docs/runners.md says how), or name another by --endpoint",
				endpoint, time.Duration(tries)*dialBound)
		}
		slog.WarnContext(ctx, fmt.Sprintf("Waiting for the job server at %s (try %d of %d)", endpoint, try, tries))
		if errors.Is(err, context.DeadlineExceeded) {
			continue // it has waited
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(dialBound):
		}
	}
}

// CheckEndpoint tells whether endpoint is a host and a port.
func CheckEndpoint(endpoint string) error {
	_, port, err := net.SplitHostPort(endpoint)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return fmt.Errorf("the endpoint is %q, allowed is the host and port of a job server, as in localhost:8099", endpoint)
	}
	return nil
}

// Close ends the connection; jobs go on.
func (s *Server) Close() error { return s.conn.Close() }

// JobInfo is what the job server says of a job.
type JobInfo struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// Jobs returns the jobs that the job server knows: those it was given since it
// was started.
func (s *Server) Jobs(ctx context.Context) ([]JobInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	resp, err := s.jobs.GetJobs(ctx, &jobpb.GetJobsRequest{})
	if err != nil {
		return nil, s.failed("listing its jobs", err)
	}
	jobs := make([]JobInfo, 0, len(resp.GetJobInfo()))
	for _, j := range resp.GetJobInfo() {
		jobs = append(jobs, JobInfo{ID: j.GetJobId(), Name: j.GetJobName(), State: j.GetState().String()})
	}
	return jobs, nil
}

// The waiting for a job that is being cancelled: how often it is looked at, and
// how long it may take.
const (
	cancelPause = 100 * time.Millisecond
	cancelBound = 30 * time.Second
)

// Cancel cancels a job and returns when it has ended, in whatever way. A job on
// Flink is cancelled by Flink's own REST service, at the address that it was
// submitted with or at flinkREST, unless that is empty; that the service is not
// found is an error, and the job goes on.
func (s *Server) Cancel(ctx context.Context, id, flinkREST string) error {
	event, err := s.state(ctx, id)
	switch {
	case errors.Is(err, errNoJob) && flinkREST != "": // it was started after the job was submitted
		return cancelOnFlink(ctx, id, flinkREST, 0)
	case err != nil || ended(event) && event != jobpb.JobState_CANCELLED:
		return err
	case flinkREST == "":
		if flinkREST, err = s.flinkRESTOf(ctx, id); err != nil {
			return err
		}
	}
	// The job server's own Cancel alone would leave a job on Flink running, and
	// tell that it is cancelled.
	switch {
	case flinkREST == "":
	case ended(event):
		if err := cancelOnFlink(ctx, id, flinkREST, 0); !errors.Is(err, errNoFlinkJob) {
			return err
		}
	default:
		if err := cancelOnFlink(ctx, id, flinkREST, findBound); err != nil {
			return err
		}
	}
	return s.cancel(ctx, id, event)
}

// cancel cancels a job at the job server, where it has not ended yet.
func (s *Server) cancel(ctx context.Context, id string, event jobpb.JobState_Enum) error {
	if ended(event) {
		return nil
	}
	call, stop := context.WithTimeout(ctx, callBound)
	defer stop()
	if _, err := s.jobs.Cancel(call, &jobpb.CancelJobRequest{JobId: id}); err != nil {
		return s.failed("cancelling job "+id, err)
	}
	return untilGone(ctx, id, func() (bool, error) {
		event, err := s.state(ctx, id)
		return ended(event), err
	})
}

// untilGone waits until a job that was cancelled has ended.
func untilGone(ctx context.Context, id string, gone func() (bool, error)) error {
	for since := time.Now(); ; {
		if is, err := gone(); is || err != nil {
			return err
		}
		if time.Since(since) >= cancelBound {
			return fmt.Errorf("job %s goes on %s after it was cancelled; the cluster's own page tells more", id, cancelBound)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(cancelPause):
		}
	}
}

// errNoJob says that the job server does not know a job.
var errNoJob = errors.New("'cartstream job list' shows those it knows")

func (s *Server) state(ctx context.Context, id string) (jobpb.JobState_Enum, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	event, err := s.jobs.GetState(ctx, &jobpb.GetJobStateRequest{JobId: id})
	if status.Code(err) == codes.NotFound {
		return 0, fmt.Errorf("the job server at %s knows no job %s; %w", s.endpoint, id, errNoJob)
	}
	if err != nil {
		return 0, s.failed("asking for the state of job "+id, err)
	}
	return event.GetState(), nil
}

// flinkRESTOf is the address that a job was submitted with; empty for one that is
// not on Flink, or that somebody else has submitted.
func (s *Server) flinkRESTOf(ctx context.Context, id string) (string, error) {
	resp, err := s.jobs.GetJobs(ctx, &jobpb.GetJobsRequest{})
	if err != nil {
		return "", s.failed("listing its jobs", err)
	}
	for _, j := range resp.GetJobInfo() {
		if j.GetJobId() == id {
			return j.GetPipelineOptions().GetFields()[optionURN(flinkRESTOption)].GetStringValue(), nil
		}
	}
	return "", nil
}

// ended reports whether a job in that state does nothing more.
func ended(state jobpb.JobState_Enum) bool {
	switch state {
	case jobpb.JobState_DONE, jobpb.JobState_FAILED, jobpb.JobState_CANCELLED, jobpb.JobState_DRAINED, jobpb.JobState_UPDATED:
		return true
	}
	return false
}

// away is failed that tells those who try again when nobody has answered.
func (s *Server) away(doing string, err error) error {
	if status.Code(err) == codes.Unavailable {
		err = fmt.Errorf("%w: %w", ErrAway, err)
	}
	return s.failed(doing, err)
}

// failed words an error of a call.
func (s *Server) failed(doing string, err error) error {
	return fmt.Errorf("the job server at %s, %s: %w", s.endpoint, doing, err)
}

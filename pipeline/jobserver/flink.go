package jobserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultFlinkREST is where Flink's own REST service is looked for: the usual
// port, and those after it, because a job server without a cluster starts a Flink
// for each job.
const DefaultFlinkREST = "localhost:8081-8090"

// flinkREST is Flink's own REST service. Beam's job server can't cancel a job on
// Flink (2.62.0 only stops waiting for it), and does not tell of restarts; Flink
// itself can.
type flinkREST struct {
	addresses []string
}

const restBound = 5 * time.Second

var restClient = &http.Client{Timeout: restBound}

// CheckFlinkREST tells whether an address is HOST:PORT or HOST:FROM-TO.
func CheckFlinkREST(address string) error {
	_, err := parseFlinkREST(address)
	return err
}

func parseFlinkREST(address string) (*flinkREST, error) {
	wrong := fmt.Errorf("the address of Flink's REST service is %q, allowed is a host and a port, or some ports, as in localhost:8081 or localhost:8081-8090", address)
	host, ports, err := net.SplitHostPort(address)
	if err != nil {
		return nil, wrong
	}
	from, to, isRange := strings.Cut(ports, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	const mostPorts = 100
	if err1 != nil || err2 != nil || first == 0 || last < first || last-first >= mostPorts {
		return nil, wrong
	}
	f := &flinkREST{}
	for port := first; port <= last; port++ {
		f.addresses = append(f.addresses, net.JoinHostPort(host, strconv.FormatUint(port, 10)))
	}
	return f, nil
}

// flinkJob is a job as Flink knows it.
type flinkJob struct {
	flink *flinkREST
	name  string
	url   string
}

var errNoFlinkJob = errors.New("the REST service of Flink was not found, or does not know the job")

// find finds a job that has not ended, by its name.
func (f *flinkREST) find(ctx context.Context, name string) (*flinkJob, error) {
	for _, address := range f.addresses {
		var overview struct {
			Jobs []struct {
				ID   string `json:"jid"`
				Name string `json:"name"`
				End  int64  `json:"end-time"`
			} `json:"jobs"`
		}
		base := "http://" + address
		if err := getJSON(ctx, base+"/jobs/overview", &overview); err != nil {
			continue // nobody there, or somebody else
		}
		for _, j := range overview.Jobs {
			if j.Name == name && j.End < 0 {
				return &flinkJob{flink: f, name: name, url: base + "/jobs/" + url.PathEscape(j.ID)}, nil
			}
		}
	}
	return nil, fmt.Errorf("%w (looked at %s)", errNoFlinkJob, strings.Join(f.addresses, ", "))
}

func getJSON(ctx context.Context, address string, to any) error {
	return call(ctx, http.MethodGet, address, to)
}

func call(ctx context.Context, method, address string, to any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := restClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// findBound is how long a job that was just submitted may take to appear at
// Flink.
const findBound = 10 * time.Second

// cancelOnFlink has Flink cancel a job, which may take up to bound to appear
// there, and returns when it has ended.
func cancelOnFlink(ctx context.Context, id, address string, bound time.Duration) error {
	f, err := parseFlinkREST(address)
	if err != nil {
		return err
	}
	job, err := f.find(ctx, nameOf(id))
	for since := time.Now(); err != nil && time.Since(since) < bound; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(cancelPause):
		}
		job, err = f.find(ctx, nameOf(id))
	}
	if err == nil {
		err = job.cancel(ctx)
	}
	if err != nil {
		return fmt.Errorf("job %s may go on: Flink cancels it, and %w; --flink-rest names its address, and its own page can cancel it too", id, err)
	}
	return untilGone(ctx, id, func() (bool, error) { return !job.goesOn(ctx), nil })
}

// cancel asks Flink to cancel the job.
func (j *flinkJob) cancel(ctx context.Context) error {
	var empty struct{}
	return call(ctx, http.MethodPatch, j.url+"?mode=cancel", &empty)
}

// goesOn reports whether the job has not ended. With the job a Flink that was
// there for it alone is gone.
func (j *flinkJob) goesOn(ctx context.Context) bool {
	_, err := j.flink.find(ctx, j.name)
	return err == nil
}

// nameOf is the job's name on Flink: its id at the job server without the
// invocation's own part.
func nameOf(id string) string {
	if i := strings.LastIndexByte(id, '_'); i > 0 {
		return id[:i]
	}
	return id
}

// restartPause is the time between two looks for restarts.
const restartPause = 3 * time.Second

// tellRestarts logs why Flink has restarted the job, until ctx ends.
func (f *flinkREST) tellRestarts(ctx context.Context, id string) {
	told := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartPause):
		}
		job, err := f.find(ctx, nameOf(id))
		if err != nil {
			continue // nothing but a page is missing
		}
		var exceptions struct {
			History struct {
				Entries []struct {
					Text string `json:"stacktrace"`
					At   int64  `json:"timestamp"`
				} `json:"entries"`
			} `json:"exceptionHistory"`
		}
		if err := getJSON(ctx, job.url+"/exceptions", &exceptions); err != nil {
			continue
		}
		latest, said := told, map[string]bool{}
		for _, e := range exceptions.History.Entries {
			if why := cause(e.Text); e.At > told && !said[why] { // several tasks fail of one thing
				slog.WarnContext(ctx, "Flink restarts the job", "job", id, "error", why)
				said[why] = true
			}
			latest = max(latest, e.At)
		}
		told = latest
	}
}

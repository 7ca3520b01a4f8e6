package jobserver

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnvironments(t *testing.T) {
	for _, e := range []Environment{
		{},
		{Type: "loopback"},
		{Type: Docker},
		{Type: Docker, Config: "registry/image:1"},
		{Type: External, Config: "localhost:50000"},
		{Type: Process, Config: "/opt/beam/boot"},
		{Type: Process, Config: `{"command": "/opt/beam/boot", "env": {"PGPASSFILE": "/etc/pgpass"}}`},
	} {
		if err := e.Check(); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
	for want, e := range map[string]Environment{
		`the environment type is "CLOUD"`:                    {Type: "CLOUD"},
		`is "x", but LOOPBACK has none`:                      {Config: "x"},
		`PROCESS needs an environment config`:                {Type: Process},
		`it has no command`:                                  {Type: Process, Config: "{}"},
		`allowed is JSON`:                                    {Type: Process, Config: `{"command": `},
		`EXTERNAL needs an environment config, the host and`: {Type: External, Config: "pool"},
		`the worker binary:`:                                 {Type: Process, Config: "/boot", Worker: "/there/is/none"},
		`a worker binary is sent to workers elsewhere`:       {Worker: "x"},
	} {
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", e, err, want)
		}
	}
}

func TestAddressesOfFlink(t *testing.T) {
	f, err := parseFlinkREST("flink:8081-8083")
	if err != nil || !slices.Equal(f.addresses, []string{"flink:8081", "flink:8082", "flink:8083"}) {
		t.Errorf("got %v, %v", f, err)
	}
	if f, err = parseFlinkREST("[::1]:8081"); err != nil || !slices.Equal(f.addresses, []string{"[::1]:8081"}) {
		t.Errorf("got %v, %v", f, err)
	}
	for _, address := range []string{"", "flink", "flink:", "flink:0", "flink:x", "flink:8083-8081", "flink:1-65535", "flink:70000"} {
		if CheckFlinkREST(address) == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

// What goes into a job: the runner's options under the names of the job API.
func TestOptionsOfAJob(t *testing.T) {
	sub := Submission{Name: "n", FlinkREST: "flink:8081", Options: map[string]any{
		"streaming": true, "checkpointing_interval": 2 * time.Second, "max_bundle_size": 5.0, "savepoint_path": "s",
	}}
	options, err := sub.options()
	if err != nil {
		t.Fatal(err)
	}
	got := options.AsMap()
	for name, want := range map[string]any{
		"streaming": true, "checkpointing_interval": 2000.0, "max_bundle_size": 5.0, "savepoint_path": "s", "app_name": "n", flinkRESTOption: "flink:8081",
	} {
		if got[optionURN(name)] != want {
			t.Errorf("%s is %v, want %v", name, got[optionURN(name)], want)
		}
	}
}

func TestWorkersAreToldByTheirFlag(t *testing.T) {
	for _, args := range [][]string{{"--worker=true", "--id=1"}, {"--id=1", "-worker"}} {
		if !workerAsked(args) {
			t.Errorf("%q is no worker", args)
		}
	}
	for _, args := range [][]string{nil, {"run"}, {"worker"}, {"run", "--worker-binary", "x"}, {"--worker=false"}} {
		if workerAsked(args) {
			t.Errorf("%q is a worker", args)
		}
	}
	if nameOf("cartstream-me-1126-8_9b50-73") != "cartstream-me-1126-8" || nameOf("x") != "x" {
		t.Error("the name of a job")
	}
}

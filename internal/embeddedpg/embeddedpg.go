// Package embeddedpg runs a PostgreSQL of our own on this machine: for the
// command that shows everything at once, and for tests.
//
// The server is watched by a child, which is this same executable started
// again. The child lives in a session of its own, so that Ctrl-C in the
// terminal doesn't reach the database before the program has drained, and it
// ends PostgreSQL cleanly when the pipe from its parent closes, which happens
// however the parent ends. PostgreSQL refuses to run as root: a child of root
// becomes nobody first.
//
// A program that calls [Start] calls [RunChildIfAsked] first in its main, a
// test binary in its TestMain.
package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// Version is the version of PostgreSQL that Start brings.
const Version = string(embeddedpostgres.V18)

// User and Name are the superuser and the database of every server. A role
// called cartstream would have the ledger's schema of that name first in its
// search path ("$user") and make its tables there.
const (
	User = "postgres"
	Name = "cartstream"
)

const host = "127.0.0.1"

// Options are what Start may be told. The zero value is a temporary server on
// a free port with PostgreSQL's own settings.
type Options struct {
	// Dir is the folder of the server's data, its log and its password. It is
	// made when it is missing and kept between runs. Empty means a temporary
	// folder that is removed when the server stops.
	Dir string
	// Port is the port to listen on; Start fails when it is taken. 0 means
	// PreferPort where it is free, else any free one.
	Port int
	// PreferPort is the port to take if it is free; 0 means none.
	PreferPort int
	// Parameters are server parameters, as `postgres -c name=value` takes them.
	Parameters map[string]string
	// Programs is the folder of an installed PostgreSQL's initdb and postgres,
	// of whatever version, in place of those that Start brings. The server is a
	// temporary one then.
	Programs string
	// Log receives what happens; nil means slog.Default().
	Log *slog.Logger
}

func (o Options) validate() error {
	for _, p := range []struct {
		name string
		port int
	}{{"Port", o.Port}, {"PreferPort", o.PreferPort}} {
		if p.port < 0 || p.port > 65535 {
			return fmt.Errorf("embeddedpg: Options.%s is %d, allowed are 0 to 65535", p.name, p.port)
		}
	}
	if o.Programs != "" && o.Dir != "" {
		return errors.New("embeddedpg: Options.Programs is for temporary servers, whose Dir is empty")
	}
	return nil
}

// Start starts a server and returns when it accepts connections. The first
// start on a machine downloads PostgreSQL, which takes some seconds more.
// Ending ctx ends a start that is under way, not a server that runs.
func Start(ctx context.Context, o Options) (*Server, error) {
	if !hooked.Load() {
		return nil, errNotHooked
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p, err := findPlace(o.Dir, o.Log)
	if err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	s, err := launch(ctx, setup{
		place: p, Port: o.Port, PreferPort: o.PreferPort, Parameters: o.Parameters, Programs: o.Programs,
	}, o.Log)
	if err != nil {
		p.discard()
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return s, nil
}

// URL returns the connection string, which holds the password: it is not for logs.
func (s *Server) URL() string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(User, s.password),
		Host:     net.JoinHostPort(host, strconv.Itoa(s.Port)),
		Path:     Name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// ExportCommand returns a command line for a person's shell after which psql,
// and all that knows libpq's variables, find the server. It names the file that
// holds the password, not the password.
func (s *Server) ExportCommand() string {
	return fmt.Sprintf("export PGHOST=%s PGPORT=%d PGUSER=%s PGDATABASE=%s PGPASSFILE=%s",
		host, s.Port, User, Name, shellQuote(filepath.Join(s.Dir, passFile)))
}

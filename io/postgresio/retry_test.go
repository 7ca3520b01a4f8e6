package postgresio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestWhatIsTriedAgain(t *testing.T) {
	state := func(code string) error { return fmt.Errorf("outer: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		name          string
		err           error
		transient, of bool // passes by itself; is one row's fault
	}{
		{"serialisation failure", state("40001"), true, false},
		{"deadlock", state("40P01"), true, false},
		{"server stops", state("57P01"), true, false},
		{"server starts", state("57P03"), true, false},
		{"too many connections", state("53300"), true, false},
		{"disk full", state("53100"), true, false},
		{"read-only after a failover", state("25006"), true, false},
		{"idle in transaction", state("25P03"), true, false},
		{"unexpected end", io.ErrUnexpectedEOF, true, false},
		{"refused", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, true, false},
		{"wrong password", state("28P01"), false, false},
		{"no such database", state("3D000"), false, false},
		{"permission denied", state("42501"), false, false},
		{"no such table", state("42P01"), false, false},
		{"numeric overflow", state("22003"), false, true},
		{"check violated", state("23514"), false, true},
		{"trigger's exception", state("P0001"), false, true},
		{"index row too large", state("54000"), false, true},
		{"no SQLSTATE", state(""), false, false},
		{"something else", errors.New("something else"), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := isTransient(c.err); got != c.transient {
				t.Errorf("transient: got %v", got)
			}
			if _, got := isRowFault(c.err); got != c.of {
				t.Errorf("a row's fault: got %v", got)
			}
		})
	}
}

func TestPausesBetweenTries(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit time.Duration
		tries int // after which it succeeds
		want  []int
		gave  bool
	}{
		{"double up to 30 s", 0, 8, []int{1, 2, 4, 8, 16, 30, 30}, false},
		{"never go beyond the limit", 10 * time.Second, 99, []int{1, 2, 4, 3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := captureLog(t)
			synctest.Test(t, func(t *testing.T) {
				start, tries := time.Now(), 0
				err := retry(context.Background(), answering(true), c.limit, "testing", func(context.Context) error {
					if tries++; tries == c.tries {
						return nil
					}
					return io.ErrUnexpectedEOF
				})
				if gave := err != nil && strings.Contains(err.Error(), "gave up"); gave != c.gave {
					t.Errorf("got %v", err)
				}
				if c.limit > 0 && time.Since(start) > c.limit {
					t.Errorf("it took %s of at most %s", time.Since(start), c.limit)
				}
			})
			var pauses []int
			for _, m := range regexp.MustCompile(`Retrying in (\d+) seconds?\.\.\.`).FindAllStringSubmatch(log.String(), -1) {
				n, _ := strconv.Atoi(m[1])
				pauses = append(pauses, n)
			}
			near := func(a, b int) bool { return a-b <= (b+9)/10 && b-a <= (b+9)/10 } // jitter
			if !slices.EqualFunc(pauses, c.want, near) {
				t.Errorf("got pauses of %v seconds, want about %v", pauses, c.want)
			}
		})
	}
}

// answering is a server that is there, or away.
type answering bool

func (a answering) Ping(context.Context) error {
	if !a {
		return &pgconn.ConnectError{}
	}
	return nil
}

func (answering) Reset() {}

// away is a server that is away until a moment.
type away time.Time

func (away) Reset() {}

func (a away) Ping(ctx context.Context) error {
	return answering(!time.Now().Before(time.Time(a))).Ping(ctx)
}

func TestRetryReturnsWithTheServer(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
	}{
		{"no connection from the start", &pgconn.ConnectError{}},
		{"a connection that broke", io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				back := time.Now().Add(100 * time.Second)
				tries := 0
				err := retry(t.Context(), away(back), 0, "testing", func(context.Context) error {
					if tries++; time.Now().Before(back) {
						return c.err
					}
					return nil
				})
				if late := time.Since(back); err != nil || late < 0 || late > 2*probePause || tries > 9 {
					t.Errorf("%d tries, %s after the server came back, %v", tries, late, err)
				}
			})
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("enough")
		time.AfterFunc(5*time.Second, func() { cancel(why) })
		start := time.Now()
		err := retry(ctx, answering(false), 0, "testing", func(context.Context) error { return io.EOF })
		if !errors.Is(err, why) || time.Since(start) != 5*time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

// A certificate that is not what was asked for is not tried again, whichever of pgx's
// and Go's errors says so.
func TestCertificatesAreNotTriedAgain(t *testing.T) {
	good, other := newAuthority(t, "good"), newAuthority(t, "other")
	server, err := url.Parse(tlsServer(t, good))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, host, mode, authority, says string
	}{
		{"another authority", "127.0.0.1", "verify-ca", other.dir, "unknown authority"},
		{"another authority, and the name", "127.0.0.1", "verify-full", other.dir, "unknown authority"},
		{"another name", "localhost", "verify-full", good.dir, "localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := *server
			u.Host = net.JoinHostPort(c.host, server.Port())
			u.RawQuery = url.Values{"sslmode": {c.mode}, "sslrootcert": {c.authority + "/ca.pem"}}.Encode()
			log := captureLog(t)
			err := SetURL(t.Name(), u.String()).Wait(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line that says %q", err, c.says)
			}
			if log.String() != "" {
				t.Errorf("it was tried again:\n%s", log)
			}
		})
	}
}

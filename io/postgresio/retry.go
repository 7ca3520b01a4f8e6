package postgresio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// isTransient reports whether an error may pass by itself: the connection, a
// server that stops, starts or has no room, and transactions that lost
// against another one. SQLSTATE classes: PostgreSQL manual, appendix A.
func isTransient(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return slices.ContainsFunc(eachAttempt(connect), attemptMayPass)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return isTransientState(pg.Code) && !isPoolersRefusal(pg)
	}
	if isForGood(err) {
		return false
	}
	var network net.Error
	return errors.Is(err, errSilent) || errors.Is(err, errHeldTooLong) || errors.Is(err, errOrderLost) || errors.Is(err, errHistoryChanged) ||
		errors.As(err, &network) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// eachAttempt returns the errors of all addresses that were tried.
func eachAttempt(connect *pgconn.ConnectError) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(connect.Unwrap(), &joined) {
		return joined.Unwrap()
	}
	return []error{connect.Unwrap()}
}

// attemptMayPass reports whether connecting to one address may work later.
func attemptMayPass(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return isTransientState(pg.Code) && !isPoolersRefusal(pg)
	}
	return !isForGood(err)
}

func isTransientState(code string) bool {
	switch code {
	case "25006", // read-only: a standby, or a primary while it fails over
		"25P03", // idle_in_transaction_session_timeout
		"26000", // prepared statement gone, as behind a pooler
		"40001", // serialization_failure
		"40P01", // deadlock_detected
		"55P03", // lock_not_available
		"55006": // object_in_use
		return true
	}
	switch code[:min(2, len(code))] {
	case "08", // connection
		"53", // insufficient resources: disk, memory, connections
		"57", // operator intervention: shutdown, crash, cancel, starting up
		"58": // system error outside PostgreSQL: I/O
		return true
	}
	return false
}

// isForGood reports whether a connection fails however often it is tried: the
// server's certificate is not what was asked for, or the pooler can't do what is
// needed.
func isForGood(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	return errors.Is(err, errStatementMode) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &verification)
}

// isPoolersRefusal reports whether a pooler refuses a connection for good.
// PgBouncer gives these the state of a broken protocol, as it does to trouble that
// passes.
func isPoolersRefusal(err *pgconn.PgError) bool {
	return err.Code == "08P01" && slices.ContainsFunc([]string{"unsupported startup parameter", "no such database", "no such user", "statement pooling mode"},
		func(s string) bool { return strings.Contains(err.Message, s) })
}

// wantsNewConnection reports whether the same connection, or others to the same
// server, would fail again: what is on them now is read-only, or is stopping.
func wantsNewConnection(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "25006" || pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03" || strings.HasPrefix(pg.Code, "08")
	}
	return errors.Is(err, errSilent)
}

// isRowFault reports whether an error is about what a row holds and not about
// the whole load: data exceptions, integrity constraints, and exceptions that
// triggers raise.
func isRowFault(err error) (*pgconn.PgError, bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return nil, false
	}
	switch pg.Code[:2] {
	case "22", "23", "P0", "44", "21", "09", "27", "38", "39":
		return pg, true
	case "42": // name_too_long: in a column of the type name
		return pg, pg.Code == "42622"
	case "54": // program_limit_exceeded: an index row that is too wide
		return pg, pg.Code == "54000"
	}
	return pg, false
}

const (
	notNullViolation = "23502"
	uniqueViolation  = "23505"
)

// SafeError drops from an error what may hold the connection string.
func SafeError(err error) error {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && connect.Unwrap() != nil {
		return lastOfEach(connect.Unwrap())
	}
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errBadURL
	}
	return err
}

// lastOfEach leaves, of the tries to connect that an error joins, the last to
// each address: pgx tries one with TLS and then without, and looks up a name for
// each.
func lastOfEach(err error) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err
	}
	var last attempts
	for _, e := range joined.Unwrap() {
		where, _, _ := strings.Cut(e.Error(), ": ")
		last = append(slices.DeleteFunc(last, func(o error) bool { return strings.HasPrefix(o.Error(), where+": ") }), e)
	}
	if len(last) == 1 {
		return last[0]
	}
	return last
}

// attempts are the errors of several addresses, in one line.
type attempts []error

func (a attempts) Error() string {
	texts := make([]string, len(a))
	for i, err := range a {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (a attempts) Unwrap() []error { return a }

// firstPause is the first wait between tries. Tests of many faults shorten it.
var firstPause = time.Second

// prepareBound is how long what comes before a load is retried: as long as a
// server is waited for that is not there.
// Tests of servers that are not there shorten it.
var prepareBound = waitTries * waitPause

const longestPause = 30 * time.Second

func pausesOf(first, longest time.Duration) *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{InitialInterval: first, Multiplier: 2, MaxInterval: longest, RandomizationFactor: 0.1}
	b.Reset()
	return b
}

// isLostRace reports whether a transaction lost against another one: it may
// begin anew at once.
func isLostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errHistoryChanged) || errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// server is asked whether it answers, and may be connected to anew; a pool is one.
type server interface {
	Ping(ctx context.Context) error
	Reset()
}

// retry calls try until it succeeds, fails with what is not transient, ctx
// ends, or limit has passed (0: no limit). Between tries it waits 1, 2, 4 … at
// most 30 s, with jitter, and says so; a server that was out of reach ends the
// wait by answering again. After a deadlock it waits at most a second. Where the
// server is read-only or stops, the next try is on a new connection.
func retry(ctx context.Context, db server, limit time.Duration, what string, try func(ctx context.Context) error) error {
	pauses, races := pausesOf(firstPause, longestPause), pausesOf(firstPause/10, firstPause)
	start := time.Now()
	tried := ctx
	if limit > 0 {
		tried = context.WithValue(ctx, giveUpKey{}, start.Add(limit))
	}
	for {
		err := try(tried)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case !isTransient(err):
			return fmt.Errorf("%s: %w", what, SafeError(err))
		case limit > 0 && time.Since(start) >= limit:
			return fmt.Errorf("%s: gave up after %s of retries: %w", what, limit, SafeError(err))
		}
		if wantsNewConnection(err) {
			db.Reset()
		}
		pause := pauses
		if isLostRace(err) {
			pause = races
		}
		d := min(pause.NextBackOff(), longestPause)
		if limit > 0 {
			d = min(d, limit-time.Since(start))
		}
		slog.WarnContext(ctx, "Retrying in "+inSeconds(d)+"...", "what", what, "error", SafeError(err))
		waitFor(ctx, db, d, isOutOfReach(err))
	}
}

// How often a server is asked, while its return is waited for, whether it is
// back, and how long it may take to say so.
const (
	probePause = time.Second
	probeBound = 5 * time.Second
)

// waitFor waits for d, for the end of ctx, or, if the server is away, for its
// answer.
func waitFor(ctx context.Context, db server, d time.Duration, away bool) {
	end := time.After(d)
	probe := time.NewTicker(probePause)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-probe.C:
			answers := pings(ctx, db)
			if away && answers {
				return
			}
			away = !answers
		}
	}
}

func pings(ctx context.Context, db server) bool {
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	return db.Ping(ctx) == nil
}

// isOutOfReach reports whether no connection could be made at all.
func isOutOfReach(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

func inMilliseconds(d time.Duration) string { return fmt.Sprint(max(1, d.Milliseconds())) }

func inSeconds(d time.Duration) string {
	if d < time.Second/2 {
		return d.Round(time.Millisecond).String()
	}
	n := int(math.Round(d.Seconds()))
	if n == 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", n)
}

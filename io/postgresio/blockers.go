package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// watcher asks the server of a pool's connections about them.
type watcher struct {
	config *pgx.ConnConfig // set before the first connection is made

	mu sync.Mutex
	// seen has sessions that stand still, as they were seen, and since when.
	seen map[string]time.Time
}

func (w *watcher) watch(conn net.Conn, address string) *watchedConn {
	c := &watchedConn{Conn: conn, watcher: w, address: address, what: "connecting"}
	c.timer = time.AfterFunc(time.Hour, c.check)
	c.timer.Stop()
	return c
}

// view is what the server says about a connection, asked over another one.
type view struct {
	// answered tells that the server could be asked, and known that it told what
	// the session does.
	answered, known bool
	// busy tells that the session is at work, or waits for a lock.
	busy     bool
	text     string
	blockers []blocker
}

func (v view) String() string {
	switch {
	case v.text != "":
		return v.text
	case v.answered:
		return "it answers on another connection, and can't tell what this one waits for"
	}
	return "it does not answer on another connection either"
}

// blocker is a session that another one waits for.
type blocker struct {
	pid                                    int
	user, application, state, since, query string
	started                                string
	stuck                                  bool
	fingerprint                            string
}

func (b blocker) fields() []any {
	query := b.query
	if query == "" {
		query = "not visible for this role"
	}
	return []any{"blocked_by", b.pid, "user", b.user, "application", b.application, "state", b.state, "since", b.since, "query", query}
}

const sessionSQL = `select coalesce(state, ''), coalesce(wait_event_type, ''), coalesce(wait_event, ''), left(query, 200), coalesce(extract(epoch from xact_start)::text, '')
from pg_stat_activity where pid = $1`

// blockersSQL tells, of those who hold what is waited for, whether they are
// sessions of ours that wait for their client, and how they stand: what has the
// same fingerprint later has made no progress. Where COPY does not tell how far it
// is (before PostgreSQL 14), it may have.
const blockersSQL = `select b.pid, coalesce(b.usename, ''), coalesce(b.application_name, ''), coalesce(b.state, ''),
	coalesce(to_char(b.state_change, 'YYYY-MM-DD HH24:MI:SS TZ'), ''), coalesce(left(b.query, 200), ''), coalesce(b.backend_start::text, ''),
	b.usename = current_user and b.datname = current_database() and b.application_name = '` + applicationName + `'
		and (b.state like 'idle in transaction%%' or b.state = 'active' and b.wait_event = 'ClientRead' and %[1]s),
	concat_ws('|', b.pid, b.backend_start, b.state, b.state_change, b.query_start, %[2]s)
from (select distinct pid from unnest(pg_blocking_pids($1)) p(pid)) p join pg_stat_activity b using (pid) %[3]s order by 1`

func blockersQuery(version string) string {
	major := 0
	_, _ = fmt.Sscanf(version, "%d", &major) // such as 15.4 (Debian 15.4-1)
	if major < 14 {
		return fmt.Sprintf(blockersSQL, "false", "''", "")
	}
	return fmt.Sprintf(blockersSQL, "true", "c.bytes_processed, c.tuples_processed", "left join pg_stat_progress_copy c using (pid)")
}

// look asks the server at the address about the process that serves a connection;
// behind a pooler it does so only in the transaction that began then.
func (w *watcher) look(address string, pid uint32, began string) (v view) {
	ctx, cancel := context.WithTimeout(context.Background(), silence.Load().answer)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, w.configFor(address))
	var refused *pgconn.PgError
	if v.answered = err == nil || errors.As(err, &refused); err != nil {
		if refused != nil {
			v.text = "on another connection it says: " + refused.Message
		}
		return v
	}
	defer func() { _ = conn.Close(ctx) }()
	if pid == 0 {
		return v
	}
	id := [][]byte{strconv.AppendUint(nil, uint64(pid), 10)}
	session := conn.ExecParams(ctx, sessionSQL, id, nil, nil, nil).Read()
	if session.Err != nil {
		return v
	}
	v.known = true
	if len(session.Rows) == 0 {
		v.text = fmt.Sprintf("its session (pid %d) has ended", pid)
		return v
	}
	s := session.Rows[0]
	if began != "" && string(s[4]) != began && len(s[0]) > 0 {
		v.text = fmt.Sprintf("the pooler's session (pid %d) has ended the transaction", pid)
		return v
	}
	state, kind, event := string(s[0]), string(s[1]), string(s[2])
	v.known = state != ""
	v.busy = state == "active" && kind != "Client"
	v.text = strings.TrimSpace(fmt.Sprintf("its session (pid %d) is %s %s %s: %s", pid, state, kind, event, s[3]))
	if kind == "Lock" {
		v.blockers = w.blockers(ctx, conn, id)
	}
	return v
}

// configFor connects to one address of those that the pool may connect to.
func (w *watcher) configFor(address string) *pgconn.Config {
	config := w.config.Config.Copy()
	dial := net.Dialer{}
	config.DialFunc = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to != address {
			return nil, errors.New("another server")
		}
		return dial.DialContext(ctx, network, to)
	}
	config.ValidateConnect = nil
	return config
}

// blockers returns who holds what is waited for, and ends those that are ours
// and have not moved for long: nobody else does.
func (w *watcher) blockers(ctx context.Context, conn *pgconn.PgConn, pid [][]byte) []blocker {
	result := conn.ExecParams(ctx, blockersQuery(conn.ParameterStatus("server_version")), pid, nil, nil, nil).Read()
	if result.Err != nil {
		return nil
	}
	var found []blocker
	for _, r := range result.Rows {
		b := blocker{
			user: string(r[1]), application: string(r[2]), state: string(r[3]), since: string(r[4]), query: string(r[5]),
			started: string(r[6]), stuck: string(r[7]) == "t", fingerprint: string(r[8]),
		}
		b.pid, _ = strconv.Atoi(string(r[0]))
		found = append(found, b)
		if b.stuck && w.standsStill(b) {
			w.end(ctx, conn, b)
		}
	}
	return found
}

// standsStill reports whether a session was seen as it is now for long.
func (w *watcher) standsStill(b blocker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, ok := w.seen[b.fingerprint]
	if !ok {
		if w.seen == nil || len(w.seen) > 1000 {
			w.seen = map[string]time.Time{}
		}
		w.seen[b.fingerprint] = time.Now()
		return false
	}
	return time.Since(since) >= silence.Load().stale
}

// end ends a session, unless its process is another one by now.
func (w *watcher) end(ctx context.Context, conn *pgconn.PgConn, b blocker) {
	result := conn.ExecParams(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2::timestamptz",
		[][]byte{strconv.AppendInt(nil, int64(b.pid), 10), []byte(b.started)}, nil, nil, nil).Read()
	slog.Warn("Ended a session of Cartstream's that held a lock and has made no progress", append([]any{"for", silence.Load().stale.String(), "error", result.Err}, b.fields()...)...)
}

package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// number returns the number that a query gives on a server.
func number(t *testing.T, url, sql string) (n int) {
	t.Helper()
	conn := connect(t, url)
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestPromotedStandbyHasWhatItReceivedAndNoMore(t *testing.T) {
	p := pgtest.NewPair(t)
	exec(t, p.Primary.URL(), "create table t (n int); insert into t values (1)")
	const all = "select coalesce(sum(n), 0)::int from t"
	p.CatchUp()
	for round, want := range []int{1, 101} {
		p.Lag()
		exec(t, p.Primary.URL(), "insert into t values (10)")
		former := p.Promote()
		if n := number(t, former.URL(), all); n != want+10 {
			t.Errorf("round %d: the former primary has %d, want %d", round, n, want+10)
		}
		if n := number(t, p.Primary.URL(), all); n != want {
			t.Errorf("round %d: the promoted standby has %d, want %d", round, n, want)
		}
		exec(t, p.Primary.URL(), "insert into t values (100)")
		p.Follow()
		p.CatchUp()
		if n := number(t, p.Standby.URL(), all); n != want+100 {
			t.Errorf("round %d: the new standby has %d, want %d", round, n, want+100)
		}
	}
}

func TestGatewayTurnsFreezesAndResets(t *testing.T) {
	first, second := pgtest.Server(t), pgtest.Server(t)
	exec(t, second.URL(), "alter role postgres password '"+password(t, first.URL())+"'")
	g := pgtest.NewGateway(t, first.URL())
	port := func(conn *pgx.Conn) (n int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		err = conn.QueryRow(ctx, "select inet_server_port()").Scan(&n)
		return n, err
	}
	old := connect(t, g.URL(first.URL()))
	<-g.Reached()
	g.Turn(second.URL())
	select {
	case <-g.Reached():
		t.Error("the second server is reached though nobody has connected")
	default:
	}
	if n, err := port(old); n != first.Port || err != nil {
		t.Errorf("an open connection has port %d, %v, want the first server's %d", n, err, first.Port)
	}
	fresh := connect(t, g.URL(first.URL()))
	<-g.Reached()
	if n, err := port(fresh); n != second.Port || err != nil {
		t.Errorf("a new connection has port %d, %v, want the second server's %d", n, err, second.Port)
	}
	g.Freeze()
	if n, err := port(fresh); err == nil {
		t.Errorf("a frozen connection gave an answer: %d", n)
	}
	last := connect(t, g.URL(first.URL()))
	g.Reset()
	if n, err := port(last); err == nil {
		t.Errorf("a connection that was reset gave an answer: %d", n)
	}
}

func password(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Password
}

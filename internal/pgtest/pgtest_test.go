package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestEachTestHasAnEmptyDatabase(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, pgtest.Database(t))
			if _, err := conn.Exec(t.Context(), "create table same_name (id int)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDatabaseIsDroppedThoughSomebodyIsConnected(t *testing.T) {
	var dropped string
	t.Run("user of it", func(t *testing.T) {
		dropped = pgtest.Database(t)
		config, err := pgx.ParseConfig(dropped)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pgx.ConnectConfig(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	})
	if conn, err := pgx.Connect(t.Context(), dropped); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("the database is still there")
	}
}

func TestOwnServerMayBeKilled(t *testing.T) {
	s := pgtest.Server(t)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a killed server took a connection")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	connect(t, s.URL())
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

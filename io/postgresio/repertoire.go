package postgresio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// repertoire is the set of characters that the encoding of a database has. What it
// lacks is escaped in the ledger: PostgreSQL would reject it. A database of UTF8 has
// all characters. One of SQL_ASCII stores the bytes that it gets, which are UTF-8.
//
// PostgreSQL's own conversions decide, so it is asked about each character once.
type repertoire struct {
	encoding string // by PostgreSQL's name; empty has all characters
	mu       sync.RWMutex
	lacked   map[rune]bool // of the characters that were asked for
}

// repertoires are those of this process, by encoding.
var repertoires sync.Map

// repertoireFor returns the repertoire of the connection's database, which knows of
// all characters of the texts. The connection may be in a transaction.
func repertoireFor(ctx context.Context, conn *pgx.Conn, texts ...string) (*repertoire, error) {
	encoding := conn.PgConn().ParameterStatus("server_encoding")
	if encoding == "UTF8" || encoding == "SQL_ASCII" {
		encoding = ""
	}
	known, _ := repertoires.LoadOrStore(encoding, &repertoire{encoding: encoding, lacked: map[rune]bool{}})
	r := known.(*repertoire)
	unknown := r.unknown(append(texts, replacement))
	if len(unknown) == 0 {
		return r, nil
	}
	err := r.learn(ctx, conn.PgConn(), unknown)
	return r, err
}

func (r *repertoire) unknown(texts []string) []rune {
	if r.encoding == "" {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := map[rune]bool{}
	for _, text := range texts {
		for _, c := range text {
			if _, known := r.lacked[c]; !known && c >= utf8.RuneSelf {
				found[c] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// learn asks the server about characters, in one round trip. One that comes back as
// another is lacked, too.
func (r *repertoire) learn(ctx context.Context, conn *pgconn.PgConn, characters []rune) (err error) {
	begin, end := "savepoint r", "release savepoint r"
	if conn.TxStatus() == 'I' {
		begin, end = "begin; savepoint r", "rollback"
	}
	if _, err := conn.Exec(ctx, begin).ReadAll(); err != nil {
		return err
	}
	p := conn.StartPipeline(ctx)
	for _, c := range characters {
		p.SendQueryParams("select convert_to(convert_from($1::bytea, 'UTF8'), 'UTF8') = $1", [][]byte{[]byte(string(c))}, nil, []int16{1}, nil)
		p.SendPipelineSync()
		p.SendQueryParams("rollback to savepoint r", nil, nil, nil, nil)
		p.SendPipelineSync()
	}
	if err := p.Flush(); err != nil {
		return errors.Join(err, p.Close())
	}
	for _, c := range characters {
		same, err := nextAnswer(p)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && isUntranslatable(pg) {
			err = nil
		}
		if err == nil {
			r.mu.Lock()
			r.lacked[c] = string(same) != "t"
			r.mu.Unlock()
			_, err = nextAnswer(p) // of the rollback
		}
		if err != nil {
			return errors.Join(err, p.Close())
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, end).ReadAll()
	return err
}

// nextAnswer reads the result of the next statement of a pipeline up to its sync: the
// first value of its first row, and the statement's error.
func nextAnswer(p *pgconn.Pipeline) (value []byte, err error) {
	for {
		result, failed := p.GetResults()
		switch result := result.(type) {
		case *pgconn.PipelineSync:
			return value, err
		case *pgconn.ResultReader:
			read := result.Read()
			failed = read.Err
			if len(read.Rows) > 0 {
				value = read.Rows[0][0]
			}
		}
		var pg *pgconn.PgError
		if failed != nil && !errors.As(failed, &pg) {
			return nil, failed
		}
		if failed != nil {
			err = failed
		}
	}
}

// isUntranslatable reports whether PostgreSQL has rejected a text for its characters:
// untranslatable_character, character_not_in_repertoire.
func isUntranslatable(err *pgconn.PgError) bool { return err.Code == "22P05" || err.Code == "22021" }

// lacks reports whether the encoding lacks a character that was asked for.
func (r *repertoire) lacks(c rune) bool {
	if r.encoding == "" || c < utf8.RuneSelf {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.lacked[c]
}

// replacement stands for what no text can hold.
const replacement = "\uFFFD"

// name is FileName for a database: the bytes of characters that it lacks are written
// as \xNN, too.
func (r *repertoire) name(path string) string { return escapeName(path, true, r.lacks) }

// pattern is name for a pattern of names, in which a backslash is taken as it is.
func (r *repertoire) pattern(text string) string { return escapeName(text, false, r.lacks) }

// text makes a message fit for a text column. A character that the encoding lacks is
// written as \uNNNN or \UNNNNNNNN.
func (r *repertoire) text(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
	if !strings.ContainsFunc(s, r.lacks) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case !r.lacks(c):
			b.WriteRune(c)
		case c > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, c)
		default:
			fmt.Fprintf(&b, `\u%04X`, c)
		}
	}
	return b.String()
}

// namesFor returns the names of paths in the ledger of the connection's database.
func namesFor(ctx context.Context, conn *pgx.Conn, paths ...string) ([]string, error) {
	r, err := repertoireFor(ctx, conn, paths...)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = r.name(path)
	}
	return names, nil
}

// nameFor is namesFor of one path.
func nameFor(ctx context.Context, conn *pgx.Conn, path string) (string, error) {
	names, err := namesFor(ctx, conn, path)
	if err != nil {
		return "", err
	}
	return names[0], nil
}

package postgresio

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// verdict is what the proxy does at a message.
type verdict int

const (
	pass verdict = iota
	// cutBefore ends the connection; the server never sees the message.
	cutBefore
	// cutAfterReply hands the message on, waits for the server's reply and
	// ends the connection instead of handing that on.
	cutAfterReply
	// cutAtOnce hands the message on and ends the client's connection, while
	// the server is still busy with it.
	cutAtOnce
)

// proxy stands between the sink and the server and breaks connections at the
// very message that a test is about.
type proxy struct {
	t      *testing.T
	server string
	listen net.Listener
	// judge is called with each message of a client: its type and what it holds.
	judge func(kind byte, body string) verdict

	mu    sync.Mutex
	conns []net.Conn
}

// newProxy returns a proxy and the URL by which the server is reached through it.
func newProxy(t *testing.T, server string, judge func(kind byte, body string) verdict) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, server: u.Host, listen: l, judge: judge}
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	var serving sync.WaitGroup
	serving.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		serving.Wait()
	})
	return p, u.String()
}

func (p *proxy) serve() {
	var relays sync.WaitGroup
	defer relays.Wait()
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		relays.Go(func() { p.relay(client, server) })
	}
}

// relay hands on what both sides say until one of them ends.
func (p *proxy) relay(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	replies := &replies{client: client, came: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(replies, server)
		client.Close()
	}()
	p.forward(client, server, replies)
	server.Close()
	<-done
}

// forward hands on the client's messages: the first has no type (PostgreSQL
// manual, "Message Formats").
func (p *proxy) forward(client io.Reader, server io.Writer, replies *replies) {
	for first := true; ; first = false {
		head := make([]byte, 5)
		if first {
			head = head[:4]
		}
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		v := pass
		if !first {
			v = p.judge(head[0], strings.TrimRight(string(body), "\x00"))
		}
		if v == cutBefore {
			return
		}
		if v != pass {
			replies.withhold()
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
		switch v {
		case cutAfterReply:
			<-replies.came
			return
		case cutAtOnce:
			replies.client.Close()
			<-replies.came
			return
		}
	}
}

// replies hands the server's bytes on to the client until they are withheld.
type replies struct {
	client net.Conn
	came   chan struct{}

	mu       sync.Mutex
	withheld bool
}

func (r *replies) withhold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.withheld = true
}

func (r *replies) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.withheld {
		select {
		case r.came <- struct{}{}:
		default:
		}
		return len(b), nil
	}
	return r.client.Write(b)
}

// once gives a verdict for the first message that is asked for, and lets all
// others pass.
func once(v verdict, wanted func(kind byte, body string) bool) func(kind byte, body string) verdict {
	var mu sync.Mutex
	given := false
	return func(kind byte, body string) verdict {
		mu.Lock()
		defer mu.Unlock()
		if given || !wanted(kind, body) {
			return pass
		}
		given = true
		return v
	}
}

func isCommit(kind byte, body string) bool { return kind == 'Q' && body == "commit" }

func isCopyData(kind byte, _ string) bool { return kind == 'd' }

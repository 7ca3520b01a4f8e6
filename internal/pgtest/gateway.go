package pgtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Gateway forwards connections to a server that a test may exchange, as the
// address of a failover cluster does. Its methods are safe for concurrent use.
type Gateway struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	server *destination // of new connections
	open   map[*relay]struct{}
	closed bool
}

// NewGateway returns a gateway to the server of a connection string. It closes
// with the test.
func NewGateway(t testing.TB, server string) *Gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{listener: l, open: map[*relay]struct{}{}}
	g.Turn(server)
	g.serving.Go(g.serve)
	t.Cleanup(g.close)
	return g
}

// Addr is the gateway's own host:port.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

// URL is the connection string by which a client reaches the database through
// the gateway.
func (g *Gateway) URL(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err) // embeddedpg made it
	}
	u.Host = g.Addr()
	return u.String()
}

// Turn sends new connections to the server of another connection string. Open
// connections stay where they are.
func (g *Gateway) Turn(server string) {
	u, err := url.Parse(server)
	if err != nil {
		panic(err) // embeddedpg made it
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.server = &destination{address: u.Host, reached: make(chan struct{})}
}

// Reached is closed when a client has had an answer from the server that new
// connections go to.
func (g *Gateway) Reached() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.server.reached
}

// Reset ends all open connections with a TCP reset.
func (g *Gateway) Reset() {
	for _, r := range g.relays() {
		_ = r.client.(*net.TCPConn).SetLinger(0)
		r.end()
	}
}

// Freeze forwards nothing more over the open connections and leaves them open,
// as a server that hangs does. Reset ends them.
func (g *Gateway) Freeze() {
	for _, r := range g.relays() {
		r.freeze()
	}
}

func (g *Gateway) relays() []*relay {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*relay, 0, len(g.open))
	for r := range g.open {
		all = append(all, r)
	}
	return all
}

func (g *Gateway) close() {
	_ = g.listener.Close()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.Reset()
	g.serving.Wait()
}

func (g *Gateway) serve() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.serving.Go(func() { g.connect(client) })
	}
}

// connect relays one client's connection until either side ends it.
func (g *Gateway) connect(client net.Conn) {
	g.mu.Lock()
	to := g.server
	g.mu.Unlock()
	server, err := net.Dial("tcp", to.address)
	if err != nil {
		_ = client.(*net.TCPConn).SetLinger(0) // refused, as near as a gateway can say
		_ = client.Close()
		return
	}
	r := &relay{client: client, server: server, to: to, frozen: make(chan struct{}), ended: make(chan struct{})}
	g.mu.Lock()
	g.open[r] = struct{}{}
	closed := g.closed
	g.mu.Unlock()
	if closed {
		r.end()
	}
	r.run()
	g.mu.Lock()
	delete(g.open, r)
	g.mu.Unlock()
}

// destination is a server as long as new connections go to it.
type destination struct {
	address string
	once    sync.Once
	reached chan struct{}
}

func (d *destination) answered() { d.once.Do(func() { close(d.reached) }) }

// relay is one client's connection and the one to the server.
type relay struct {
	client, server net.Conn
	to             *destination
	frozen, ended  chan struct{}
	once           struct{ freeze, end sync.Once }
}

func (r *relay) run() {
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(&side{r, r.client, r.to.answered}, r.server)
		r.finish()
	})
	_, _ = io.Copy(&side{r, r.server, func() {}}, r.client)
	r.finish()
	answers.Wait()
}

// finish ends a connection whose one side has ended. A frozen one stays open.
func (r *relay) finish() {
	select {
	case <-r.frozen:
		<-r.ended
	default:
		r.end()
	}
}

func (r *relay) freeze() { r.once.freeze.Do(func() { close(r.frozen) }) }

func (r *relay) end() {
	r.once.end.Do(func() {
		close(r.ended)
		_ = r.client.Close()
		_ = r.server.Close()
	})
}

// side is where the bytes of the other side go.
type side struct {
	*relay
	to    net.Conn
	wrote func()
}

func (s *side) Write(b []byte) (int, error) {
	select {
	case <-s.frozen:
		<-s.ended
		return 0, net.ErrClosed
	default:
	}
	n, err := s.to.Write(b)
	if err == nil {
		s.wrote()
	}
	return n, err
}

package postgresio

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	a.write("ca.pem", a.sign(a.cert, a.key))
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) sign(c *x509.Certificate, key *ecdsa.PrivateKey) string {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// issue returns a certificate for a name, and its key.
func (a *authority) issue(name string) (cert, key string) {
	a.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	private := a.newKey()
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(c, private), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// write writes a file that only this user may read, and returns its path.
func (a *authority) write(name, text string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// tlsServer is a server that speaks TLS with a certificate for 127.0.0.1, and
// takes the role with_certificate by a certificate of that name only.
func tlsServer(t *testing.T, a *authority) string {
	t.Helper()
	server := pgtest.Server(t).URL()
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	// The server writes its files itself, so that they are its user's.
	put := func(name, text string) {
		t.Helper()
		exec("create temporary table if not exists put (line text)")
		exec("truncate put")
		exec("insert into put select * from unnest(string_to_array($1, E'\\n'))", strings.TrimSpace(text))
		exec("copy put to program 'umask 077; cat > " + name + "'")
	}
	cert, key := a.issue("127.0.0.1")
	put("tls.crt", cert)
	put("tls.key", key)
	put("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: readPEM(t, filepath.Join(a.dir, "ca.pem"))})))
	exec("create role with_certificate login superuser")
	exec("copy (select 'hostssl all with_certificate 127.0.0.1/32 cert') to program 'cat - pg_hba.conf > hba && cat hba > pg_hba.conf && rm hba'")
	exec("alter system set ssl_cert_file = 'tls.crt'")
	exec("alter system set ssl_key_file = 'tls.key'")
	exec("alter system set ssl_ca_file = 'ca.crt'")
	exec("alter system set ssl = on")
	exec("select pg_reload_conf()")
	return server
}

func readPEM(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return block.Bytes
}

// TestTLS has each mode of the connection string do what libpq's manual says.
func TestTLS(t *testing.T) {
	dontWait(t)
	good, other := newAuthority(t, "good"), newAuthority(t, "other")
	server := tlsServer(t, good)
	cert, key := good.issue("with_certificate")
	foreignCert, foreignKey := other.issue("with_certificate")
	for _, c := range []struct {
		name   string
		user   string
		host   string
		params url.Values
		says   string // the error; empty where it must work
		tls    bool
	}{
		{name: "disable", params: url.Values{"sslmode": {"disable"}}},
		{name: "prefer", params: url.Values{"sslmode": {"prefer"}}, tls: true},
		{name: "require", params: url.Values{"sslmode": {"require"}}, tls: true},
		{name: "verify-ca", params: url.Values{"sslmode": {"verify-ca"}, "sslrootcert": {good.dir + "/ca.pem"}}, tls: true},
		{name: "verify-ca, another authority", params: url.Values{"sslmode": {"verify-ca"}, "sslrootcert": {other.dir + "/ca.pem"}}, says: "unknown authority"},
		{name: "verify-ca, another name", host: "localhost", params: url.Values{"sslmode": {"verify-ca"}, "sslrootcert": {good.dir + "/ca.pem"}}, tls: true},
		{name: "verify-full", params: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {good.dir + "/ca.pem"}}, tls: true},
		{name: "verify-full, another authority", params: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {other.dir + "/ca.pem"}}, says: "unknown authority"},
		{name: "verify-full, another name", host: "localhost", params: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {good.dir + "/ca.pem"}}, says: "localhost"},
		{name: "verify-full, no such file", params: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {good.dir + "/none.pem"}}, says: "none.pem: no such file"},
		{name: "a certificate of the client's", user: "with_certificate", params: url.Values{
			"sslmode": {"verify-full"}, "sslrootcert": {good.dir + "/ca.pem"},
			"sslcert": {good.write("client.pem", cert)}, "sslkey": {good.write("client.key", key)},
		}, tls: true},
		{name: "a client's certificate from another authority", user: "with_certificate", params: url.Values{
			"sslmode": {"require"}, "sslcert": {other.write("client.pem", foreignCert)}, "sslkey": {other.write("client.key", foreignKey)},
		}, says: "certificate"},
		{name: "no certificate of the client's", user: "with_certificate", params: url.Values{"sslmode": {"require"}}, says: "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(server)
			if err != nil {
				t.Fatal(err)
			}
			u.RawQuery = c.params.Encode()
			if c.user != "" {
				u.User = url.User(c.user)
			}
			if c.host != "" {
				u.Host = c.host + ":" + u.Port()
			}
			db := SetURL(t.Name(), u.String())
			err = Migrate(t.Context(), db)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want an error that says %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			pool, err := db.Open(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			var spoken bool
			if err := pool.QueryRow(t.Context(), "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&spoken); err != nil || spoken != c.tls {
				t.Errorf("TLS: %v, want %v (%v)", spoken, c.tls, err)
			}
		})
	}
}

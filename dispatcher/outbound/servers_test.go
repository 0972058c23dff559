package outbound_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The receivers that misbehave, each in its own way.

// broken says something and hangs up.
func broken(t testing.TB, says string) (url string) {
	t.Helper()
	return "http://" + raw(t, func(conn *net.TCPConn) {
		readRequest(conn)
		_, _ = conn.Write([]byte(says))
	})
}

// aborting has read the request and resets the connection.
func aborting(t testing.TB) (url string) {
	t.Helper()
	return "http://" + raw(t, func(conn *net.TCPConn) {
		readRequest(conn)
		_ = conn.SetLinger(0)
	})
}

// hanging says something and then nothing more, until the client gives up.
func hanging(t testing.TB, scheme, says string) (url string) {
	t.Helper()
	return scheme + "://" + raw(t, func(conn *net.TCPConn) {
		if says != "" {
			readRequest(conn)
			_, _ = conn.Write([]byte(says))
		}
		_, _ = io.Copy(io.Discard, conn)
	})
}

// closing accepts and hangs up without a word, in the middle of what should be a handshake.
func closing(t testing.TB) (url string) {
	t.Helper()
	return "https://" + raw(t, readOnce)
}

func readOnce(conn *net.TCPConn) { readRequest(conn) }

// secure is a TLS server. Its authority is unknown to the client unless its pool holds it.
func secure(t testing.TB, handler http.HandlerFunc, adjust func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{}
	if adjust != nil {
		adjust(server)
	}
	return start(t, server, true)
}

func trusted(servers ...*httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, server := range servers {
		pool.AddCert(server.Certificate())
	}
	return pool
}

// foreign is a certificate for 127.0.0.1 by nobody the client knows.
func foreign(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

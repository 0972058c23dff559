package outbound_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is the server's end of one HTTP/2 connection, below everything that keeps a server to the rules.
type peer struct {
	*http2.Framer
	conn     net.Conn
	flood    *flood
	requests *atomic.Int32
}

// speaking serves HTTP/2: talk gets each connection after the preface, and the connection is closed after.
func speaking(t testing.TB, f *flood, talk func(p *peer)) (url string, roots *x509.CertPool, requests *atomic.Int32) {
	t.Helper()
	lent := httptest.NewUnstartedServer(nil) // for its certificate
	lent.StartTLS()
	lent.Close()
	config := &tls.Config{Certificates: lent.TLS.Certificates, NextProtos: []string{"h2"}}
	requests = new(atomic.Int32)
	address := raw(t, func(conn *net.TCPConn) {
		secured := tls.Server(conn, config)
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(secured, preface); err != nil {
			return
		}
		p := &peer{Framer: http2.NewFramer(secured, secured), conn: secured, flood: f, requests: requests}
		_ = p.WriteSettings()
		talk(p)
	})
	roots = x509.NewCertPool()
	roots.AddCert(lent.Certificate())
	return "https://" + address, roots, requests
}

// request reads until the header of a request is there, and gives its stream; 0 when the client is gone.
func (p *peer) request() (stream uint32) {
	for {
		frame, err := p.ReadFrame()
		if err != nil {
			return 0
		}
		if header, ok := frame.(*http2.HeadersFrame); ok {
			p.requests.Add(1)
			return header.StreamID
		}
	}
}

// drain reads until the client is gone, so that it is never held up by us.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.conn) }

// pour writes a flood and reads on beside it.
func (p *peer) pour(write func(f *http2.Framer)) {
	var chunk bytes.Buffer
	for f := http2.NewFramer(&chunk, nil); chunk.Len() < 32*kib; {
		write(f)
	}
	go p.drain()
	p.flood.write(p.conn, chunk.Bytes())
}

// fields is a header list in HPACK.
func fields(pairs ...string) []byte {
	var out bytes.Buffer
	encoder := hpack.NewEncoder(&out)
	for i := 0; i < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return out.Bytes()
}

func (p *peer) headers(stream uint32, end bool, pairs ...string) {
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(pairs...), EndHeaders: true, EndStream: end})
}

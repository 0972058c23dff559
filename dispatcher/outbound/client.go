package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	defaultMaxIdlePerHost = 64
	maxIdle               = 1024 // over all hosts of a transport: a bound on file descriptors that are merely kept warm
	idleTimeout           = 90 * time.Second
	maxHeaderBytes        = 64 << 10

	// A kept HTTP/2 connection is shared, so one that has silently died would let every request on it run into its
	// deadline. A ping after this silence finds it out.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
	h2Buffer    = 64 << 10 // per stream; the default of 4 MiB would be memory given to the receiver
	h2BufferAll = 1 << 20  // per connection
)

// Config is what New needs. The zero value is the strict one.
type Config struct {
	AllowTargets   []netip.Prefix // ranges that may be called although they are special (--allow-target)
	AllowPlainHTTP bool           // http:// to any target; otherwise only to addresses inside AllowTargets
	MaxIdlePerHost int            // kept-alive connections per host; 0 means 64
	RootCAs        *x509.CertPool // nil: the system's
	Resolver       *net.Resolver  // nil: the system's

	// ClientCertificates are offered to the target they are for, and to no other.
	ClientCertificates map[Target]tls.Certificate
}

// Client sends requests. It is safe for concurrent use; make one and share it, it owns the connections.
type Client struct {
	guard     guard
	plainHTTP bool
	http      *http.Transport // for http://, with the guard that plain HTTP needs
	https     *http.Transport
	certified map[Target]*http.Transport // with a client certificate; no connection is shared between two of them
}

// New makes a client. Close it when no request is under way any more.
func New(cfg Config) *Client {
	g := newGuard(cfg.AllowTargets)
	forPlain := g
	if !cfg.AllowPlainHTTP {
		forPlain = g.onlyAllowed()
	}
	c := &Client{
		guard:     g,
		plainHTTP: cfg.AllowPlainHTTP,
		http:      newTransport(cfg, forPlain),
		https:     newTransport(cfg, g),
		certified: map[Target]*http.Transport{},
	}
	for target, certificate := range cfg.ClientCertificates {
		t := newTransport(cfg, g)
		t.MaxIdleConns = t.MaxIdleConnsPerHost // it has one host
		// Not Config.Certificates: those are left out when the server's list of authorities does not name their issuer,
		// as it often does not, and the server's refusal would be all that is seen.
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
		c.certified[target] = t
	}
	return c
}

// Close drops the kept-alive connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.https.CloseIdleConnections()
	for _, t := range c.certified {
		t.CloseIdleConnections()
	}
}

func (c *Client) transport(u *url.URL) *http.Transport {
	if u.Scheme == "http" {
		return c.http
	}
	if len(c.certified) == 0 {
		return c.https
	}
	if t, found := c.certified[targetOf(u)]; found {
		return t
	}
	return c.https
}

func newTransport(cfg Config, g guard) *http.Transport {
	perHost := cfg.MaxIdlePerHost
	if perHost <= 0 {
		perHost = defaultMaxIdlePerHost
	}
	dialer := &net.Dialer{
		Resolver: cfg.Resolver,
		Control:  g.control,
	}
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial for us, past the guard
		DialContext:            dial(dialer),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		TLSHandshakeTimeout:    maxTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // we ask for none; what comes compressed all the same is unpacked within bounds
		MaxIdleConns:           max(maxIdle, perHost),
		MaxIdleConnsPerHost:    perHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              maxTimeout, // a receiver that reads no more holds up all who share the connection
			MaxReceiveBufferPerStream:     h2Buffer,
			MaxReceiveBufferPerConnection: h2BufferAll,
		},
	}
}

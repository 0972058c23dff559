package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair makes a self-signed client certificate that is valid until then, and its key, as files.
func pair(t *testing.T, until time.Time) (cert, key string, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tidings"}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "PRIVATE KEY", keyDER), parsed
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCertificateFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	cert, key, _ := pair(t, time.Now().Add(time.Hour))
	_, otherKey, _ := pair(t, time.Now().Add(time.Hour))
	entry := func(target, cert, key string) string {
		return fmt.Sprintf("  - {target: %q, cert: %q, key: %q}\n", target, cert, key)
	}
	config := write(t, "client-certificates:\n"+
		entry("https://good.example", cert, key)+
		entry("https://GOOD.example.:443", cert, key)+
		entry("https://path.example/orders", cert, key)+
		entry("http://plain.example", "/does/not/exist.crt", "")+
		entry("https://pair.example", cert, otherKey)+
		entry("https://swapped.example", key, cert))
	code, _, stderr := runFor(t, "serve", "--config", config, "--ca-file", "/does/not/exist.pem")
	if code != 2 {
		t.Errorf("exit status %d, want 2", code)
	}
	for _, part := range []string{
		"--ca-file: open /does/not/exist.pem",
		"client-certificates[1].target: https://good.example:443 is that of client-certificates[0]",
		"client-certificates[2].target: expected https://host:port and nothing after it",
		"client-certificates[3].target: the URL must begin with https://",
		"client-certificates[3].cert: open /does/not/exist.crt",
		"client-certificates[3].key: is required",
		"client-certificates[4].cert and key: tls: private key does not match public key",
		"client-certificates[5].cert and key: ",
	} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q is not told in:\n%s", part, stderr)
		}
	}
	if strings.Contains(stderr, "client-certificates[0].") {
		t.Errorf("the good entry is called a fault:\n%s", stderr)
	}
}

func TestCABundles(t *testing.T) {
	t.Parallel()
	cert, key, _ := pair(t, time.Now().Add(time.Hour))
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	bundle := func(text string) string {
		path := filepath.Join(t.TempDir(), "bundle.pem")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, row := range []struct{ why, path, want string }{
		{"one certificate", cert, ""},
		{"two, with words between", bundle("# ours\n" + string(text) + "\n# theirs\n" + string(text)), ""},
		{"a file with nothing in it", bundle(""), "holds no certificate in PEM"},
		{"a key and no certificate", key, "holds no certificate in PEM"},
		{"words", bundle("no PEM at all"), "holds no certificate in PEM"},
		{"the second one is broken", bundle(string(text) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))), "certificate 2: "},
		{"a directory", t.TempDir(), "is a directory"},
	} {
		roots, err := readRoots(row.path)
		switch {
		case row.want == "" && (err != nil || roots == nil):
			t.Errorf("%s: %v", row.why, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %q", row.why, err, row.want)
		}
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if roots, err := readRoots(cert); err != nil || roots.Equal(system) {
		t.Errorf("the bundle adds nothing to the system's roots (%v)", err)
	}
}

// A delivery to a target that wants to know us, by an authority of the bundle; the certificate's time is over, which is
// told and no fault of the start.
func TestDeliveryByClientCertificate(t *testing.T) {
	t.Parallel()
	cert, key, parsed := pair(t, time.Now().Add(-time.Hour))
	who := make(chan *x509.Certificate, 1)
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who <- r.TLS.PeerCertificates[0] }))
	target.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	target.StartTLS()
	t.Cleanup(target.Close)
	authority := pemFile(t, "CERTIFICATE", target.Certificate().Raw)
	config := write(t, fmt.Sprintf("ca-file: %q\nclient-certificates:\n  - {target: %q, cert: %q, key: %q}\n", authority, target.URL, cert, key))
	p := start(t, "--config", config, "--data-dir", t.TempDir(), "--dev-token", "test-token")
	p.register("1", target.URL)
	if _, code := p.owed("1", "completed"); code != http.StatusOK && code != http.StatusCreated {
		t.Fatal("the change was answered", code)
	}
	select {
	case got := <-who:
		if !got.Equal(parsed) {
			t.Errorf("known as %v", got.Subject)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived:\n", p.stderr)
	}
	if want := "the client certificate for " + target.URL + " expired on "; !strings.Contains(p.stderr.String(), want) {
		t.Errorf("%q is not warned of in:\n%s", want, p.stderr)
	}
}

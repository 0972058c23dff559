package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tidings/tidings/dispatcher/outbound"
)

// fileCertificate is a client certificate for one target. It stands in the configuration file alone.
type fileCertificate struct {
	Target string `yaml:"target"` // https://host:port
	Cert   string `yaml:"cert"`   // path of a PEM file, the leaf first
	Key    string `yaml:"key"`    // path of a PEM file
}

// readRoots adds the certificates of a PEM bundle to the system's roots; nil when there is no bundle. A certificate that
// cannot be read is a fault: left out, it would be missed only when a receiver is called.
func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's roots: %w", err)
	}
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		found++
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, found, err)
		}
		pool.AddCert(certificate)
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: holds no certificate in PEM", path)
	}
	return pool, nil
}

// check reads the pair and returns every fault of the entry. Neither holds anything of the key.
func (f fileCertificate) check() (target outbound.Target, certificate tls.Certificate, faults []error) {
	bad := func(member string, err error) { faults = append(faults, fmt.Errorf("%s: %w", member, err)) }
	target, err := outbound.ParseTarget(f.Target)
	if err != nil {
		bad("target", err)
	}
	read := func(member, path string) []byte {
		if path == "" {
			bad(member, errors.New("is required: the path of a PEM file"))
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			bad(member, err)
		}
		return text
	}
	cert, key := read("cert", f.Cert), read("key", f.Key)
	if cert == nil || key == nil {
		return target, tls.Certificate{}, faults
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		bad("cert and key", err)
	}
	return target, pair, faults
}

// readCertificates also finds targets that are named twice.
func readCertificates(entries []fileCertificate) (certificates map[outbound.Target]tls.Certificate, faults []error) {
	certificates = map[outbound.Target]tls.Certificate{}
	first := map[outbound.Target]int{}
	for i, entry := range entries {
		target, pair, bad := entry.check()
		faults = append(faults, under(fmt.Sprintf("client-certificates[%d]", i), bad)...)
		if target == "" {
			continue
		}
		if at, twice := first[target]; twice {
			faults = append(faults, fmt.Errorf("client-certificates[%d].target: %s is that of client-certificates[%d]", i, target, at))
			continue
		}
		first[target], certificates[target] = i, pair
	}
	return certificates, faults
}

// certificateWarnings tells certificates that receivers will refuse. It is no fault: whoever replaces the certificate
// must be able to start Tidings before.
func certificateWarnings(certificates map[outbound.Target]tls.Certificate, now time.Time) (warnings []string) {
	for target, pair := range certificates {
		switch {
		case now.After(pair.Leaf.NotAfter):
			warnings = append(warnings, fmt.Sprintf("the client certificate for %s expired on %s", target, pair.Leaf.NotAfter.Format(time.DateOnly)))
		case now.Before(pair.Leaf.NotBefore):
			warnings = append(warnings, fmt.Sprintf("the client certificate for %s is valid only from %s", target, pair.Leaf.NotBefore.Format(time.DateOnly)))
		}
	}
	return warnings
}

package receiver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidings/tidings/dispatcher/sign"
)

const headerInput = "Signature-Input"

// bearsHTTPSignature reports whether a request is sealed by HTTP Message Signatures. Beside another seal of ours, one that
// does not cover webhook-id is not ours: RFC 9421 lets every hop add its own.
func bearsHTTPSignature(header http.Header, otherwiseSealed bool) bool {
	if otherwiseSealed {
		return strings.Contains(strings.Join(header.Values(headerInput), ","), `"`+headerID+`"`)
	}
	return header.Get(headerInput) != "" || header.Get("Signature") != ""
}

func (v Verifier) httpSignatures(r *http.Request, body []byte) error {
	sent, err := v.asSent(r)
	if err != nil {
		return err
	}
	check := func(body []byte) error {
		return sign.VerifyHTTPMessageSignatures(sent, body, v.now(), v.tolerance(), v.webhookKeys()...)
	}
	err = check(body)
	switch {
	case errors.Is(err, ErrAltered):
		if why := alteration(r, body, check); why != "" {
			return fmt.Errorf("%w; %s", err, why)
		}
	case errors.Is(err, ErrNoMatch):
		if other := v.otherAlgorithm(r.Header); other != "" {
			return fmt.Errorf("%w: it bears %s by %s, expected %s", ErrWrongScheme, HTTPMessageSignatures, other, v.expected())
		}
		return fmt.Errorf("%w: either the key is not the sender's, or the method, host, path, query, Content-Digest, Content-Type or webhook-id is not what was sealed", err)
	}
	return err
}

// asSent is the request as its sender sealed it: with the path of the request line, whatever handlers made of r.URL, and
// with the host of Origin.
func (v Verifier) asSent(r *http.Request) (*http.Request, error) {
	sent := *r
	if strings.HasPrefix(r.RequestURI, "/") {
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return nil, fmt.Errorf("%w: the request line cannot be read", ErrBadURL)
		}
		sent.URL = u
	}
	if v.Origin == "" {
		return &sent, nil
	}
	origin, err := url.Parse(v.Origin)
	if err != nil || origin.Host == "" || origin.Scheme != "https" && origin.Scheme != "http" {
		return nil, fmt.Errorf("%w: Origin is not http:// or https:// with a host", ErrBadURL)
	}
	sent.Host, sent.TLS = origin.Host, nil
	if origin.Scheme == "https" { // so that its default port is known
		sent.TLS = &tls.ConnectionState{}
	}
	return &sent, nil
}

// otherAlgorithm names the algorithm of a seal for which there is no key, when there is one for the other only.
func (v Verifier) otherAlgorithm(header http.Header) string {
	input := strings.Join(header.Values(headerInput), ",")
	byHMAC, byEd25519 := strings.Contains(input, `alg="hmac-sha256"`), strings.Contains(input, `alg="ed25519"`)
	switch {
	case byHMAC && !byEd25519 && len(v.Secrets) == 0:
		return "hmac-sha256"
	case byEd25519 && !byHMAC && len(v.PublicKeys) == 0:
		return "ed25519"
	}
	return ""
}

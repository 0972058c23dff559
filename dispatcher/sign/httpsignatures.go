package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/yaronf/httpsign"
	"golang.org/x/net/idna"
)

// HTTP Message Signatures, with the digest of the body:
//
//	content-digest:  sha-256=:<base64>:
//	signature-input: sig1=("@method" "@authority" "@path" "@query" "content-digest" "content-type" "webhook-id");
//	                 created=<unix seconds>;alg="<hmac-sha256|ed25519>";keyid="<key>"[, sig2=...]
//	signature:       sig1=:<base64>:[, sig2=...]
//
// @authority, @path and @query are covered and not @target-uri, because whoever verifies behind a proxy that ends TLS
// does not see the scheme. The keyid of an ed25519 key is its thumbprint by RFC 7638, that of a secret is a fingerprint
// which tells nothing about it. created is when the seal is made, a moment after Message.Timestamp: the library takes no
// other clock.
//
// Spec: RFC 9421 (signatures), RFC 9530 (content-digest)
const (
	headerDigest         = "Content-Digest"
	headerSignatureInput = "Signature-Input"
	headerHTTPSignature  = "Signature"
)

// httpComponents are what every signature covers. A verifier that asks for less lets something of the request be changed.
var httpComponents = httpsign.Headers("@method", "@authority", "@path", "@query", "content-digest", "content-type", headerID)

type httpMessageSignatures struct{ signers []*httpsign.Signer }

// NewHTTPMessageSignatures makes a signer by RFC 9421. Keys that begin with whsec_ seal by hmac-sha256, keys that begin
// with whsk_ by ed25519; they may be mixed. Each key gives one signature (sig1, sig2, ...), in the order given: while a
// key is being replaced, give the new one first and the old one after it.
func NewHTTPMessageSignatures(keys ...string) (Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key to sign with")
	}
	s := httpMessageSignatures{signers: make([]*httpsign.Signer, len(keys))}
	for i, key := range keys {
		signer, err := httpSigner(key)
		if err != nil {
			return nil, fmt.Errorf("key %d of %d: %w", i+1, len(keys), err)
		}
		s.signers[i] = signer
	}
	return s, nil
}

func httpSigner(key string) (*httpsign.Signer, error) {
	if strings.HasPrefix(key, keyPrefixV1a) {
		private, err := decodeKeyV1a(key)
		if err != nil {
			return nil, err
		}
		config := httpsign.NewSignConfig().SetKeyID(ed25519KeyID(private.Public().(ed25519.PublicKey)))
		return httpsign.NewEd25519Signer(private, config, httpComponents)
	}
	if !strings.HasPrefix(key, secretPrefix) {
		return nil, errors.New(`the key must begin with "whsec_" (a secret) or "whsk_" (an ed25519 key)`)
	}
	secret, err := decodeSecret(key)
	if err != nil {
		return nil, err
	}
	return httpsign.NewHMACSHA256Signer(hmacBlock(secret), httpsign.NewSignConfig().SetKeyID(secretKeyID(secret)), httpComponents)
}

// Sign returns webhook-id, webhook-timestamp, content-digest, signature-input and signature. The message needs a content
// type, which is covered.
func (s httpMessageSignatures) Sign(m Message) (http.Header, error) {
	if !validID(m.ID) {
		return nil, errors.New("sealing by HTTP Message Signatures: the id must be printable ASCII without spaces and full stops")
	}
	if m.ContentType == "" {
		return nil, errors.New("sealing by HTTP Message Signatures: there is no content type to cover")
	}
	request, err := httpSealed(m.Method, m.URL)
	if err != nil {
		return nil, err
	}
	body := io.NopCloser(bytes.NewReader(m.Body))
	digest, err := httpsign.GenerateContentDigestHeader(&body, []string{httpsign.DigestSha256})
	if err != nil {
		return nil, fmt.Errorf("digesting the body: %w", err)
	}
	request.Header = http.Header{}
	request.Header.Set("Content-Type", m.ContentType)
	request.Header.Set(headerDigest, digest)
	request.Header.Set(headerID, m.ID)
	inputs, signatures := make([]string, len(s.signers)), make([]string, len(s.signers))
	for i, signer := range s.signers {
		inputs[i], signatures[i], err = httpsign.SignRequest("sig"+strconv.Itoa(i+1), *signer, request)
		if err != nil { // not wrapped: it may quote the query
			return nil, fmt.Errorf("%w: by HTTP Message Signatures", ErrBadURL)
		}
	}
	header := make(http.Header, 5)
	header.Set(headerID, m.ID)
	header.Set(headerTimestamp, strconv.FormatInt(m.Timestamp.Unix(), 10))
	header.Set(headerDigest, digest)
	header.Set(headerSignatureInput, strings.Join(inputs, ", "))
	header.Set(headerHTTPSignature, strings.Join(signatures, ", "))
	return header, nil
}

// Format keeps the keys out of every log line, whatever the verb.
func (s httpMessageSignatures) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "HTTP Message Signatures signer (keys not shown)")
}

// CheckHTTPMessageKey refuses a key that cannot seal: it is a secret that CheckSecret takes or a key that CheckKeyV1a takes.
// Its errors never hold the key.
func CheckHTTPMessageKey(key string) error {
	_, err := httpSigner(key)
	return err
}

// CheckHTTPMessageURL refuses a URL that cannot be sealed: besides what cannot be called at all, one whose query has a
// semicolon or a stray percent sign, which the library does not read. The error holds nothing of the URL.
func CheckHTTPMessageURL(raw string) error {
	_, err := httpSealed(http.MethodPost, raw)
	return err
}

// httpSealed is the request line as the receiver sees it: the authority in small letters without the default port
// (RFC 9421, section 2.2.3), and a path that is never empty (section 2.2.6).
func httpSealed(method, raw string) (*http.Request, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%w: it is not http:// or https:// with a host", ErrBadURL)
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, fmt.Errorf("%w: the query has a semicolon or a percent sign that escapes nothing", ErrBadURL)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return &http.Request{Method: method, URL: u, Host: httpAuthority(u)}, nil
}

func httpAuthority(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		host += ":" + port
	}
	return host
}

// hmacBlock fills a secret up with zeros to the block of SHA-256, as HMAC itself does with every shorter key (RFC 2104,
// section 2): the same key, and long enough for the library.
func hmacBlock(secret []byte) []byte {
	return append(secret, make([]byte, sha256.BlockSize-len(secret))...)
}

func ed25519KeyID(public ed25519.PublicKey) string {
	return JWK{Kty: "OKP", X: base64URL(public)}.thumbprint()
}

// secretKeyID is a fingerprint of 72 bits by which a receiver tells its secrets apart. Nothing that is signed can begin
// like what is hashed here.
func secretKeyID(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("keyid"))
	return "hmac-" + base64URL(mac.Sum(nil)[:9])
}

package sign

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
)

// FaTPay's webhook for order events:
//
//	X-FP-Partner-Id: <the receiver's id at the sender>
//	X-FP-Nonce: <random integer of 6 digits, new on every attempt>
//	X-FP-Timestamp: <unix seconds of this attempt>
//	X-FP-Version: v1.0 (optional)
//	X-FP-Signature: <base64 on one line of RSA PKCS#1 v1.5 with SHA-256 over the signed string>
//
// The signed string is that of FaTPaySignedString.
//
// Spec: https://dev.fatpay.org/reference/api-reference/verification and
// https://dev.fatpay.org/reference/api-reference/webhooks/webhook-for-order-events
const (
	fpPrefix          = "x-fp-" // in lower case, as they are signed; http.Header.Set gives X-Fp-, the same on the wire
	headerFPPartnerID = "x-fp-partner-id"
	headerFPNonce     = "x-fp-nonce"
	headerFPTimestamp = "x-fp-timestamp"
	headerFPVersion   = "x-fp-version"
	headerFPSignature = "x-fp-signature"
	fpVersion         = "v1.0"
)

// FaTPay is what NewFaTPay needs.
type FaTPay struct {
	PartnerID     string          // the receiver's id at the sender: printable ASCII without spaces and "&"
	Key           *rsa.PrivateKey // of 2048 to 8192 bits; GenerateRSAKey makes one, ParseRSAKeyPEM reads one
	VersionHeader bool            // send and sign X-FP-Version: v1.0 too, which some receivers need
}

// Format keeps the key out of every log line, whatever the verb.
func (c FaTPay) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "FaTPay partner %q (key not shown)", c.PartnerID)
}

// MarshalText keeps the key out of JSON and structured logs.
func (c FaTPay) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", c), nil }

type fatPay struct{ cfg FaTPay }

// NewFaTPay makes a signer by FaTPay's scheme.
//
// The scheme seals the method, the domain, the path, the query and the X-FP headers. It does not seal the body: who can
// change a request on its way can change the order in it, and who has seen one sealed request can send it again with
// another order until the receiver finds its timestamp too old or its nonce used. Only TLS protects the order data.
// A receiver should take such a message as a hint and ask for the order itself.
func NewFaTPay(c FaTPay) (Signer, error) {
	if !validPartnerID(c.PartnerID) {
		return nil, errors.New(`the partner id must be printable ASCII without spaces and "&"`)
	}
	if c.Key == nil {
		return nil, errors.New("there is no RSA key to sign with")
	}
	if err := checkRSASize(&c.Key.PublicKey); err != nil {
		return nil, err
	}
	if err := c.Key.Validate(); err != nil {
		return nil, errors.New("the RSA key is not consistent") // the cause could name parts of the key
	}
	return fatPay{c}, nil
}

// Sign returns the X-FP headers, with a new nonce on each call. It refuses, as ErrBadURL, what FaTPaySignedString refuses.
func (s fatPay) Sign(m Message) (http.Header, error) {
	if m.Timestamp.Unix() < 0 {
		return nil, errors.New("sealing by FaTPay: the timestamp is missing or before 1970")
	}
	header := make(http.Header, 5)
	header.Set(headerFPPartnerID, s.cfg.PartnerID)
	header.Set(headerFPNonce, newNonce())
	header.Set(headerFPTimestamp, strconv.FormatInt(m.Timestamp.Unix(), 10))
	if s.cfg.VersionHeader {
		header.Set(headerFPVersion, fpVersion)
	}
	text, err := FaTPaySignedString(m.Method, m.URL, header)
	if err != nil {
		return nil, fmt.Errorf("sealing by FaTPay: %w", err)
	}
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.cfg.Key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, errors.New("sealing by FaTPay: the RSA key does not sign")
	}
	header.Set(headerFPSignature, base64.StdEncoding.EncodeToString(signature))
	return header, nil
}

// Format keeps the key out of every log line, whatever the verb.
func (s fatPay) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "FaTPay signer (key not shown)")
}

// newNonce has no leading zero: a receiver that reads it as a number must get the same text back.
func newNonce() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000))
	if err != nil {
		panic("drawing a nonce: " + err.Error()) // never: crypto/rand ends the program instead
	}
	return strconv.FormatInt(100_000+n.Int64(), 10)
}

// validPartnerID refuses what a header cannot carry, and "&", which separates the parts of what is signed.
func validPartnerID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '&' })
}

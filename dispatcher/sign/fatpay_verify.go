package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// VerifyFaTPay checks the seal of a received request as FaTPay's receiver would: X-FP-Partner-Id, X-FP-Nonce,
// X-FP-Timestamp and X-FP-Signature are there, the timestamp is within tolerance of now, in whole seconds, and the
// signature over FaTPaySignedString is by the key. target is the whole URL under which the receiver is known outside,
// with its query: in a handler "https://" + r.Host + r.RequestURI, unless a proxy rewrites them.
//
// The error is one of the Err values of this package with what exactly is wrong, or that of an unusable key; it names
// the method, domain and path and which headers and parameters were sealed, never their values. A nil error says nothing
// about the body, which is not sealed, nor that the partner id is the receiver's, nor that the nonce is new.
func VerifyFaTPay(method, target string, header http.Header, now time.Time, tolerance time.Duration, key *rsa.PublicKey) error {
	if key == nil {
		return errors.New("there is no RSA key to verify with")
	}
	if err := checkRSASize(key); err != nil {
		return err
	}
	got, err := fpHeaders(header)
	if err != nil {
		return err
	}
	for _, name := range []string{headerFPPartnerID, headerFPNonce, headerFPTimestamp, headerFPSignature} {
		if got[name] == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, name)
		}
	}
	if nonce := got[headerFPNonce]; strings.ContainsFunc(nonce, func(r rune) bool { return r < '0' || r > '9' }) {
		return fmt.Errorf("%w: %s is not an integer", ErrBadHeader, headerFPNonce)
	}
	if err := checkTimestamp(headerFPTimestamp, got[headerFPTimestamp], now, tolerance); err != nil {
		return err
	}
	signature, err := decodeFPSignature(got[headerFPSignature], key.Size())
	if err != nil {
		return err
	}
	parts, err := fpParts(method, target, header)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts.String()))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil {
		// The values stay out, but this much finds a wrong method, domain, path or a header lost on the way.
		return fmt.Errorf("%w: not by this key over %q with %q", ErrNoMatch, parts.head, parts.keys())
	}
	return nil
}

func decodeFPSignature(text string, size int) ([]byte, error) {
	signature, err := base64.StdEncoding.Strict().DecodeString(text) // strict: one spelling
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: %s is not base64 on one line", ErrBadHeader, headerFPSignature)
	}
	if len(signature) != size {
		return nil, fmt.Errorf("%w: %s is %d bytes long, the key's are %d", ErrNoMatch, headerFPSignature, len(signature), size)
	}
	return signature, nil
}

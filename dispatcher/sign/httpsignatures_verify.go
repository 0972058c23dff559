package sign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/yaronf/httpsign"
)

// VerifyHTTPMessageSignatures checks the seal of a received request as a receiver would: the digest is the body's, and at
// least one signature covers all that NewHTTPMessageSignatures covers, is by one of the keys and was created within
// tolerance of now, in whole seconds. Keys that begin with whsec_ are secrets, keys that begin with whpk_ are public;
// they may be mixed. Signatures by other keys are passed over. The error is one of the Err values with what exactly is
// wrong, or that of an unusable key; it never holds a secret.
func VerifyHTTPMessageSignatures(r *http.Request, body []byte, now time.Time, tolerance time.Duration, secretsOrPublicKeys ...string) (err error) {
	keys, err := decodeVerifyKeys(secretsOrPublicKeys)
	if err != nil {
		return err
	}
	for _, name := range []string{headerDigest, headerSignatureInput, headerHTTPSignature, headerID} {
		if r.Header.Get(name) == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, name)
		}
	}
	// Up to v0.5.1 the library panics on parameters of the wrong type in signature-input, which anybody can send.
	// v0.6.0 does not, and needs Go 1.27.
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: %s", ErrBadHeader, headerSignatureInput)
		}
	}()
	received := httpReceived(r)
	names, err := httpsign.RequestSignatureNames(received, false)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadHeader, headerHTTPSignature)
	}
	verifiers, err := keys.http()
	if err != nil {
		return err
	}
	content := io.NopCloser(bytes.NewReader(body))
	digestErr := httpsign.ValidateContentDigestHeader(r.Header.Values(headerDigest), &content, []string{httpsign.DigestSha256})
	err = fmt.Errorf("%w: tried %d signatures with %d keys", ErrNoMatch, len(names), len(verifiers))
	if digestErr != nil {
		err = fmt.Errorf("%w, and the %s is not that of the body", err, headerDigest)
	}
	for _, name := range names {
		for _, verifier := range verifiers {
			if httpsign.VerifyRequest(name, *verifier, received) != nil {
				continue
			}
			if err = httpCreated(name, received, now, tolerance); err != nil {
				continue
			}
			if digestErr != nil { // which the signature covers, so that the key is right
				return fmt.Errorf("%w: a signature holds, but its %s is not that of the body", ErrAltered, headerDigest)
			}
			return nil
		}
	}
	return err
}

// httpReceived has the authority as it was sealed. The default port is known by the connection, if it is TLS.
func httpReceived(r *http.Request) *http.Request {
	u := *r.URL
	u.Scheme = "http"
	if r.TLS != nil {
		u.Scheme = "https"
	}
	u.Host = r.Host
	if u.Path == "" {
		u.Path = "/"
	}
	return &http.Request{Method: r.Method, URL: &u, Host: httpAuthority(&url.URL{Scheme: u.Scheme, Host: r.Host}), Header: r.Header}
}

// http gives a verifier for each key. Time is checked by httpCreated, with the clock that was given.
func (k verifyKeys) http() (verifiers []*httpsign.Verifier, err error) {
	add := func(verifier *httpsign.Verifier, e error) {
		verifiers, err = append(verifiers, verifier), errors.Join(err, e)
	}
	config := func(keyID, algorithm string) *httpsign.VerifyConfig {
		return httpsign.NewVerifyConfig().SetVerifyCreated(false).SetKeyID(keyID).SetAllowedAlgs([]string{algorithm})
	}
	for _, secret := range k.secrets {
		add(httpsign.NewHMACSHA256Verifier(hmacBlock(secret), config(secretKeyID(secret), "hmac-sha256"), httpComponents))
	}
	for _, public := range k.publics {
		add(httpsign.NewEd25519Verifier(public, config(ed25519KeyID(public), "ed25519"), httpComponents))
	}
	return verifiers, err
}

func httpCreated(name string, r *http.Request, now time.Time, tolerance time.Duration) error {
	details, err := httpsign.RequestDetails(name, r)
	if err != nil || details.Created == nil {
		return fmt.Errorf("%w: %s has no created", ErrBadHeader, headerSignatureInput)
	}
	return checkTimestamp("created", strconv.FormatInt(details.Created.Unix(), 10), now, tolerance)
}

package receiver

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// DefaultTolerance is how far the sender's clock may be from the receiver's, either way: Standard Webhooks' suggestion.
const DefaultTolerance = 5 * time.Minute

// Verifier holds the keys of one receiver. A request is good when every seal on it that a key is there for holds, and
// there is at least one. Give a Verifier the keys of the scheme that it expects and no others: with keys of two schemes,
// a request sealed by the weaker one (FaTPay's, which does not seal the body) is good, too.
type Verifier struct {
	Secrets    []string         // Standard Webhooks v1, HTTP Message Signatures: whsec_...; several while one is being replaced
	PublicKeys []string         // Standard Webhooks v1a, HTTP Message Signatures: whpk_...
	FaTPayKeys []*rsa.PublicKey // FaTPay: those of GET /api/v0/checkout/signing-keys
	Tolerance  time.Duration    // 0: DefaultTolerance
	Now        func() time.Time // nil: time.Now
	// Origin is under which scheme and domain the sender knows this receiver ("https://partner.example.com"), which FaTPay and
	// HTTP Message Signatures seal. "" takes the request's Host, which is right unless a proxy rewrites it.
	Origin string
}

// AddKey adds a key in any spelling in which Tidings hands one out: a secret (whsec_...), a public key (whpk_...), or PEM
// with an RSA or ed25519 public key. The error never holds the key.
func (v *Verifier) AddKey(text string) error {
	switch {
	case strings.HasPrefix(text, "whsec_"):
		if err := sign.CheckSecret(text); err != nil {
			return err
		}
		v.Secrets = append(v.Secrets, text)
	case strings.HasPrefix(text, "whpk_"), strings.HasPrefix(text, "whsk_"): // the latter is told to be private
		if _, err := sign.ParsePublicKeyV1a(text); err != nil {
			return err
		}
		v.PublicKeys = append(v.PublicKeys, text)
	case strings.Contains(text, "-----BEGIN "):
		public, err := sign.ParsePublicPEM([]byte(text))
		if err != nil {
			return err
		}
		switch key := public.(type) {
		case *rsa.PublicKey:
			v.FaTPayKeys = append(v.FaTPayKeys, key)
		case ed25519.PublicKey:
			v.PublicKeys = append(v.PublicKeys, "whpk_"+base64.StdEncoding.EncodeToString(key))
		}
	default:
		return errors.New("a key is a secret (whsec_...), a public key (whpk_...) or PEM of a public key")
	}
	return nil
}

// Verify checks the seals of a request against its body as it was received, byte by byte. The error says exactly what is
// wrong; ReasonOf gives it as one of a closed set. It never holds a secret, nor the signature that would have been right.
//
// What a good seal covers: Standard Webhooks the id, the timestamp and the body; HTTP Message Signatures the
// method, host, path, query, content type, id, body and its own time; FaTPay the method, domain, path, query and X-FP
// headers, and not the body. No scheme covers the X-Tidings headers, X-Merchant and X-Channel.
func (v Verifier) Verify(r *http.Request, body []byte) error {
	if len(v.Secrets)+len(v.PublicKeys)+len(v.FaTPayKeys) == 0 {
		return ErrNoKey
	}
	schemes := Schemes(r.Header)
	if len(schemes) == 0 {
		return fmt.Errorf("%w: expected %s", ErrUnsealed, v.expected())
	}
	held := false
	for _, family := range []struct {
		sealed, key bool
		verify      func() error
	}{
		{has(schemes, StandardWebhooks, StandardWebhooksV1a), len(v.Secrets)+len(v.PublicKeys) > 0,
			func() error { return v.standardWebhooks(r, body, schemes) }},
		{has(schemes, HTTPMessageSignatures), len(v.Secrets)+len(v.PublicKeys) > 0,
			func() error { return v.httpSignatures(r, body) }},
		{has(schemes, FaTPay), len(v.FaTPayKeys) > 0, func() error { return v.fatPay(r) }},
	} {
		if !family.sealed || !family.key {
			continue
		}
		if err := family.verify(); err != nil {
			return err
		}
		held = true
	}
	if !held {
		return v.wrongScheme(schemes)
	}
	return nil
}

func (v Verifier) standardWebhooks(r *http.Request, body []byte, schemes []Scheme) error {
	if !(has(schemes, StandardWebhooks) && len(v.Secrets) > 0) && !(has(schemes, StandardWebhooksV1a) && len(v.PublicKeys) > 0) {
		return v.wrongScheme(schemes)
	}
	check := func(body []byte) error {
		return sign.VerifyStandardWebhooks(r.Header, body, v.now(), v.tolerance(), v.webhookKeys()...)
	}
	err := check(body)
	if !errors.Is(err, sign.ErrNoMatch) {
		return err
	}
	if why := alteration(r, body, check); why != "" {
		return fmt.Errorf("%w: %s (%w)", ErrAltered, why, err)
	}
	return fmt.Errorf("%w: either the key is not the sender's, or the id, the timestamp or the body was altered", err)
}

func (v Verifier) webhookKeys() []string { return slices.Concat(v.Secrets, v.PublicKeys) }

// fatPay tries every key. What is wrong with all but the signature is the same for each.
func (v Verifier) fatPay(r *http.Request) (err error) {
	origin := v.Origin
	if origin == "" {
		origin = "https://" + r.Host
	}
	uri := r.RequestURI // as it stood in the request line, whatever handlers made of r.URL
	if !strings.HasPrefix(uri, "/") {
		uri = r.URL.RequestURI()
	}
	for _, key := range v.FaTPayKeys {
		err = sign.VerifyFaTPay(r.Method, strings.TrimSuffix(origin, "/")+uri, r.Header, v.now(), v.tolerance(), key)
		if err == nil || !errors.Is(err, sign.ErrNoMatch) {
			return err
		}
	}
	return fmt.Errorf("%w: either the key is not the sender's, or the method, domain, path, query or an X-FP header is not what was sealed", err)
}

func (v Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v Verifier) tolerance() time.Duration {
	if v.Tolerance == 0 {
		return DefaultTolerance
	}
	return v.Tolerance
}

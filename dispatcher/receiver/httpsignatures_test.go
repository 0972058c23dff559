package receiver_test

import (
	"bytes"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

// The time of these seals is the time of the run: the library takes no other clock.
func TestHTTPMessageSignatures(t *testing.T) {
	t.Parallel()
	other := sign.GenerateSecret()
	bySecret, byKey := []sign.Signer{signerHTTP(t, secret)}, []sign.Signer{signerHTTP(t, whsk)}
	both := []sign.Signer{signerHTTP(t, other, secret)}
	shared, public := receiver.Verifier{Secrets: []string{secret}}, receiver.Verifier{PublicKeys: []string{whpk}}
	moved := receiver.Verifier{Secrets: []string{secret}, Origin: "https://partner.example.com:443"}
	at := func(d time.Duration) receiver.Verifier {
		return receiver.Verifier{Secrets: []string{secret}, Now: func() time.Time { return time.Now().Add(d) }}
	}
	host := func(name string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, b []byte) []byte { r.Host = name; return b }
	}
	line := func(uri string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, b []byte) []byte { r.RequestURI = uri; return b }
	}
	input := func(old, to string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, b []byte) []byte {
			r.Header.Set("Signature-Input", strings.ReplaceAll(r.Header.Get("Signature-Input"), old, to))
			return b
		}
	}
	anotherOrder := to(func(b []byte) []byte { return bytes.Replace(b, []byte("1001"), []byte("1002"), 1) })
	for _, c := range []row{
		{why: "a secret", by: shared, seals: bySecret},
		{why: "an ed25519 key", by: public, seals: byKey},
		{why: "the receiver has keys of both kinds", by: receiver.Verifier{Secrets: []string{secret}, PublicKeys: []string{whpk}}, seals: byKey},
		{why: "the secret was rotated, the old one signs, too", by: shared, seals: both},
		{why: "a handler that has cut the path", by: shared, seals: bySecret, change: func(r *http.Request, b []byte) []byte { r.URL.Path = "/"; return b }},
		{why: "old", by: at(time.Hour), seals: bySecret, reason: receiver.ReasonTooOld, says: "300 s are allowed"},
		{why: "a slow clock here", by: at(-time.Hour), seals: bySecret, reason: receiver.ReasonTooNew, says: "300 s are allowed"},

		{why: "JSON written anew", by: shared, seals: bySecret, change: to(indented), reason: receiver.ReasonAltered, says: "verify the bytes as received"},
		{why: "written anew, and the key is ed25519", by: public, seals: byKey, change: to(escaped), reason: receiver.ReasonAltered, says: "as themselves"},
		{why: "another order: here the digest proves what no other scheme can", by: shared, seals: bySecret, change: anotherOrder, reason: receiver.ReasonAltered, says: "a signature holds"},
		{why: "a body that was read before", by: shared, seals: bySecret, change: func(*http.Request, []byte) []byte { return nil }, reason: receiver.ReasonAltered, says: "was it read before?"},
		{why: "another order, another's key: nothing is proved", by: receiver.Verifier{Secrets: []string{other}}, seals: bySecret, change: anotherOrder, reason: receiver.ReasonNoMatch, says: "the Content-Digest is not that of the body"},
		{why: "an old body that was altered is old first", by: at(time.Hour), seals: bySecret, change: anotherOrder, reason: receiver.ReasonTooOld},

		{why: "another's secret", by: receiver.Verifier{Secrets: []string{other}}, seals: bySecret, reason: receiver.ReasonNoMatch, says: "either the key is not the sender's"},
		{why: "sealed by ed25519, here is a secret", by: shared, seals: byKey, reason: receiver.ReasonWrongScheme, says: "it bears http-message-signatures by ed25519, expected webhook-signature with a v1 entry, or signature by hmac-sha256"},
		{why: "sealed by hmac-sha256, here is a public key", by: public, seals: bySecret, reason: receiver.ReasonWrongScheme, says: "by hmac-sha256, expected"},
		{why: "here is an RSA key", by: receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{&rsaKey().PublicKey}}, seals: bySecret, reason: receiver.ReasonWrongScheme, says: "it bears http-message-signatures, expected X-FP-Signature"},

		{why: "a proxy that does not hand on the Host", by: shared, seals: bySecret, change: host("10.0.0.7:8080"), reason: receiver.ReasonNoMatch, says: "host"},
		{why: "the same, and the receiver knows its name", by: moved, seals: bySecret, change: host("10.0.0.7:8080")},
		{why: "an Origin that is none", by: receiver.Verifier{Secrets: []string{secret}, Origin: "partner.example.com"}, seals: bySecret, reason: receiver.ReasonBadURL, says: "Origin"},
		{why: "another path", by: shared, seals: bySecret, change: line("/out?token=x"), reason: receiver.ReasonNoMatch, says: "path"},
		{why: "another query", by: shared, seals: bySecret, change: line("/in?token=y"), reason: receiver.ReasonNoMatch, says: "query"},
		{why: "a request line that is none", by: shared, seals: bySecret, change: line("/%zz"), reason: receiver.ReasonBadURL},
		{why: "another's delivery id", by: shared, seals: bySecret, change: set("webhook-id", "d-2"), reason: receiver.ReasonNoMatch},
		{why: "said to be of another type", by: shared, seals: bySecret, change: set("Content-Type", "text/plain"), reason: receiver.ReasonNoMatch},
		{why: "less is covered", by: shared, seals: bySecret, change: input(` "@query"`, ""), reason: receiver.ReasonNoMatch},

		{why: "no digest", by: shared, seals: bySecret, change: drop("Content-Digest"), reason: receiver.ReasonMissingHeader, says: "Content-Digest"},
		{why: "no signature", by: shared, seals: bySecret, change: drop("Signature"), reason: receiver.ReasonMissingHeader, says: "Signature"},
		{why: "no input", by: shared, seals: bySecret, change: drop("Signature-Input"), reason: receiver.ReasonMissingHeader, says: "Signature-Input"},
		{why: "no input that can be read", by: shared, seals: bySecret, change: input(`"webhook-id")`, `"webhook-id" "x";req=1)`), reason: receiver.ReasonBadHeader, says: "Signature-Input"},
		{why: "a secret that is none", by: receiver.Verifier{Secrets: []string{"whsec_"}}, seals: bySecret, reason: receiver.ReasonBadKey},
	} {
		c.run(t)
	}
}

// Every hop may add a Signature of its own: that says nothing about the seal by another scheme.
func TestSignaturesOfOthersAreNoSeals(t *testing.T) {
	t.Parallel()
	byV1, byHTTP := signerV1(t, secret), signerHTTP(t, sign.GenerateSecret())
	proxy := func(r *http.Request, b []byte) []byte {
		r.Header.Set("Signature-Input", `proxy=("@method" "@authority");created=1700000000;keyid="p"`)
		r.Header.Set("Signature", "proxy=:AAAA:")
		return b
	}
	for _, c := range []row{
		{why: "a proxy's beside a good seal", by: v1(secret), seals: []sign.Signer{byV1}, change: proxy},
		{why: "a proxy's beside a bad seal", by: v1(sign.GenerateSecret()), seals: []sign.Signer{byV1}, change: proxy, reason: receiver.ReasonNoMatch},
		{why: "a proxy's alone is taken for the seal, and is none", by: v1(secret), change: proxy, reason: receiver.ReasonMissingHeader, says: "Content-Digest"},
		{why: "one of our kind must hold", by: v1(secret), seals: []sign.Signer{byV1, byHTTP}, reason: receiver.ReasonNoMatch},
	} {
		c.run(t)
	}
}

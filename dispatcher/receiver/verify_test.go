package receiver_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

// row is a request that was sealed well and then changed by somebody, or a receiver with the wrong keys.
type row struct {
	why    string
	by     receiver.Verifier
	seals  []sign.Signer
	change func(r *http.Request, body []byte) []byte
	reason receiver.Reason // "" for a seal that holds
	says   string
}

func (c row) run(t *testing.T) {
	t.Helper()
	r, got := sealed(t, c.seals...), body
	if c.change != nil {
		got = c.change(r, bytes.Clone(body))
	}
	err := c.by.Verify(r, got)
	if reason := receiver.ReasonOf(err); reason != c.reason {
		t.Errorf("%s: %q (%v), want %q", c.why, reason, err, c.reason)
		return
	}
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), c.says) {
		t.Errorf("%s: %v, want it to say %q", c.why, err, c.says)
	}
	for _, hidden := range append(append([]string(nil), c.by.Secrets...), r.Header.Get("webhook-signature"), r.Header.Get("Signature")) {
		if hidden != "" && strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: the error holds a secret or the signature: %v", c.why, err)
		}
	}
}

func drop(name string) func(*http.Request, []byte) []byte { return set(name, "") }

func set(name, value string) func(*http.Request, []byte) []byte {
	return func(r *http.Request, body []byte) []byte {
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
		return body
	}
}

// to replaces the body as middleware would, with a Content-Length that fits.
func to(made func(body []byte) []byte) func(*http.Request, []byte) []byte {
	return func(r *http.Request, body []byte) []byte {
		body = made(body)
		r.ContentLength = int64(len(body))
		return body
	}
}

func indented(body []byte) []byte {
	var out bytes.Buffer
	_ = json.Indent(&out, body, "", "  ")
	return out.Bytes()
}

func escaped(body []byte) []byte {
	var out bytes.Buffer
	json.HTMLEscape(&out, body)
	return out.Bytes()
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	byV1, other := signerV1(t, secret), sign.GenerateSecret()
	late := func(d time.Duration) receiver.Verifier {
		return receiver.Verifier{Secrets: []string{secret}, Now: at(now.Add(d))}
	}
	for _, c := range []row{
		{why: "as sent", by: v1(secret), seals: []sign.Signer{byV1}},
		{why: "as old as is allowed", by: late(receiver.DefaultTolerance), seals: []sign.Signer{byV1}},
		{why: "the sender has a new secret and still signs with the old one", by: v1(secret), seals: []sign.Signer{signerV1(t, other, secret)}},
		{why: "the receiver knows the new one already", by: v1(other, secret), seals: []sign.Signer{byV1}},
		{why: "a receiver that asks for less", by: receiver.Verifier{Secrets: []string{secret}, Tolerance: time.Second, Now: at(now.Add(2 * time.Second))},
			seals: []sign.Signer{byV1}, reason: receiver.ReasonTooOld, says: "by 2 s, 1 s are allowed"},
		{why: "sent again by somebody an hour later", by: late(time.Hour), seals: []sign.Signer{byV1}, reason: receiver.ReasonTooOld, says: "by 3600 s, 300 s are allowed"},
		{why: "the receiver's clock is slow", by: late(-time.Hour), seals: []sign.Signer{byV1}, reason: receiver.ReasonTooNew, says: "by 3600 s"},
		{why: "another's secret", by: v1(other), seals: []sign.Signer{byV1}, reason: receiver.ReasonNoMatch, says: "either the key is not the sender's"},
		{why: "the order's content was changed, the form kept", by: v1(secret), seals: []sign.Signer{byV1},
			change: to(func(b []byte) []byte { return bytes.Replace(b, []byte("1001"), []byte("1002"), 1) }), reason: receiver.ReasonNoMatch, says: "or the body was altered"},
		{why: "JSON that a framework has read and written anew", by: v1(secret), seals: []sign.Signer{byV1}, change: to(indented), reason: receiver.ReasonAltered, says: "the key is right"},
		{why: "a JSON writer that escapes for HTML", by: v1(secret), seals: []sign.Signer{byV1}, change: to(escaped), reason: receiver.ReasonAltered, says: "as themselves"},
		{why: "a line break at the end", by: v1(secret), seals: []sign.Signer{byV1},
			change: to(func(b []byte) []byte { return append(b, '\n') }), reason: receiver.ReasonAltered, says: "white space around it"},
		{why: "another's secret and a line break: nothing is proved", by: v1(other), seals: []sign.Signer{byV1},
			change: to(func(b []byte) []byte { return append(b, '\n') }), reason: receiver.ReasonNoMatch},
		{why: "a body that was read before", by: v1(secret), seals: []sign.Signer{byV1},
			change: func(*http.Request, []byte) []byte { return nil }, reason: receiver.ReasonAltered, says: "was it read before?"},
		{why: "a body that broke off", by: v1(secret), seals: []sign.Signer{byV1},
			change: func(_ *http.Request, b []byte) []byte { return b[:10] }, reason: receiver.ReasonAltered, says: "it has 10 bytes, Content-Length says"},
		{why: "no JSON at all", by: v1(secret), seals: []sign.Signer{byV1}, change: to(func([]byte) []byte { return []byte("id=1001") }), reason: receiver.ReasonAltered, says: "not JSON"},
		{why: "sealed for another id", by: v1(secret), seals: []sign.Signer{byV1}, change: set("webhook-id", "d-2"), reason: receiver.ReasonNoMatch},
		{why: "no id", by: v1(secret), seals: []sign.Signer{byV1}, change: drop("webhook-id"), reason: receiver.ReasonMissingHeader, says: "webhook-id"},
		{why: "no timestamp", by: v1(secret), seals: []sign.Signer{byV1}, change: drop("webhook-timestamp"), reason: receiver.ReasonMissingHeader, says: "webhook-timestamp"},
		{why: "a date for a timestamp", by: v1(secret), seals: []sign.Signer{byV1}, change: set("webhook-timestamp", "today"), reason: receiver.ReasonBadHeader, says: "webhook-timestamp"},
		{why: "the seal was cut off on its way", by: v1(secret), seals: []sign.Signer{byV1}, change: drop("webhook-signature"), reason: receiver.ReasonUnsealed, says: "expected webhook-signature with a v1 entry, or signature by hmac-sha256 (for 1 secret)"},
		{why: "an entry of nothing", by: v1(secret), seals: []sign.Signer{byV1}, change: set("webhook-signature", "v1,"), reason: receiver.ReasonNoMatch, says: "no v1 entry that can be read"},
		{why: "a version yet to come", by: v1(secret), seals: []sign.Signer{byV1}, change: set("webhook-signature", "v9,AAAA"), reason: receiver.ReasonNoMatch, says: "no v1 entry"},
	} {
		c.run(t)
	}
}

func TestSchemesAreKeptApart(t *testing.T) {
	t.Parallel()
	byV1, byV1a, byRSA := signerV1(t, secret), signerV1a(t), signerFaTPay(t, rsaKey())
	public := receiver.Verifier{PublicKeys: []string{whpk}, Now: at(now)}
	fatPay := receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{&rsaKey().PublicKey}, Now: at(now)}
	all := receiver.Verifier{Secrets: []string{secret}, PublicKeys: []string{whpk}, FaTPayKeys: fatPay.FaTPayKeys, Now: at(now)}
	for _, c := range []row{
		{why: "v1a", by: public, seals: []sign.Signer{byV1a}},
		{why: "v1a with another body", by: public, seals: []sign.Signer{byV1a}, change: to(indented), reason: receiver.ReasonAltered, says: "the key is right"},
		{why: "v1a, the receiver has a secret", by: v1(secret), seals: []sign.Signer{byV1a}, reason: receiver.ReasonWrongScheme,
			says: "it bears standard-webhooks-v1a, expected webhook-signature with a v1 entry, or signature by hmac-sha256 (for 1 secret)"},
		{why: "v1, the receiver has a public key", by: public, seals: []sign.Signer{byV1}, reason: receiver.ReasonWrongScheme, says: "it bears standard-webhooks, expected"},
		{why: "fatpay, the receiver has a secret", by: v1(secret), seals: []sign.Signer{byRSA}, reason: receiver.ReasonWrongScheme, says: "it bears fatpay"},
		{why: "v1, the receiver has an RSA key", by: fatPay, seals: []sign.Signer{byV1}, reason: receiver.ReasonWrongScheme, says: "expected X-FP-Signature (for 1 RSA key)"},
		{why: "any key will do", by: all, seals: []sign.Signer{byRSA}},
		{why: "two seals that hold", by: all, seals: []sign.Signer{byV1, byRSA}},
		{why: "one good seal does not help a bad one", by: all, seals: []sign.Signer{byV1, byRSA}, change: set("X-FP-Nonce", "123456"), reason: receiver.ReasonNoMatch},
		{why: "no key", by: receiver.Verifier{Now: at(now)}, seals: []sign.Signer{byV1}, reason: receiver.ReasonNoKey},
		{why: "a secret that is none", by: v1("whsec_"), seals: []sign.Signer{byV1}, reason: receiver.ReasonBadKey},
		{why: "unsealed, as a notification without signing is", by: all, reason: receiver.ReasonUnsealed, says: "or X-FP-Signature"},
	} {
		c.run(t)
	}
}

func TestFaTPay(t *testing.T) {
	t.Parallel()
	seals := []sign.Signer{signerFaTPay(t, rsaKey())}
	stranger := sign.GenerateRSAKey()
	by := receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{&rsaKey().PublicKey}, Now: at(now)}
	rotating := receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{&stranger.PublicKey, &rsaKey().PublicKey}, Now: at(now)}
	moved := by
	moved.Origin = "https://partner.example.com/"
	for _, c := range []row{
		{why: "as sent", by: by, seals: seals},
		{why: "one of two keys", by: rotating, seals: seals},
		{why: "its body is not sealed: this cannot be found out", by: by, seals: seals, change: to(func([]byte) []byte { return []byte(`{}`) })},
		{why: "http's own method names", by: by, seals: seals, change: func(r *http.Request, b []byte) []byte { r.Method = "PUT"; return b }, reason: receiver.ReasonNoMatch, says: `over "PUTpartner.example.com/in"`},
		{why: "a proxy that does not hand on the Host", by: by, seals: seals, change: func(r *http.Request, b []byte) []byte { r.Host = "10.0.0.7:8080"; return b }, reason: receiver.ReasonNoMatch, says: `"POST10.0.0.7/in"`},
		{why: "the same, and the receiver knows its name", by: moved, seals: seals, change: func(r *http.Request, b []byte) []byte { r.Host = "10.0.0.7:8080"; return b }},
		{why: "a handler that has cut the path", by: by, seals: seals, change: func(r *http.Request, b []byte) []byte { r.URL.Path = "/"; return b }},
		{why: "another query", by: by, seals: seals, change: func(r *http.Request, b []byte) []byte { r.RequestURI = "/in?token=y"; return b }, reason: receiver.ReasonNoMatch},
		{why: "a parameter twice has no signed string", by: by, seals: seals, change: func(r *http.Request, b []byte) []byte { r.RequestURI = "/in?a=1&a=2"; return b }, reason: receiver.ReasonBadURL},
		{why: "another's key", by: receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{&stranger.PublicKey}, Now: at(now)}, seals: seals, reason: receiver.ReasonNoMatch, says: "either the key is not the sender's"},
		{why: "no signature", by: by, seals: seals, change: drop("X-FP-Signature"), reason: receiver.ReasonMissingHeader, says: "x-fp-signature"},
		{why: "a nonce in words", by: by, seals: seals, change: set("X-FP-Nonce", "once"), reason: receiver.ReasonBadHeader, says: "x-fp-nonce"},
		{why: "too late", by: receiver.Verifier{FaTPayKeys: by.FaTPayKeys, Now: at(now.Add(301 * time.Second))}, seals: seals, reason: receiver.ReasonTooOld, says: "by 301 s"},
	} {
		c.run(t)
	}
}

func TestAddKey(t *testing.T) {
	t.Parallel()
	rsaPEM, err := sign.PublicPEM(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.ParsePublicKeyV1a(whpk)
	if err != nil {
		t.Fatal(err)
	}
	edPEM, err := sign.PublicPEM(public)
	if err != nil {
		t.Fatal(err)
	}
	v := receiver.Verifier{Now: at(now)}
	for _, key := range []string{secret, whpk, string(rsaPEM), string(edPEM)} {
		if err := v.AddKey(key); err != nil {
			t.Error(err)
		}
	}
	if len(v.Secrets) != 1 || len(v.FaTPayKeys) != 1 || len(v.PublicKeys) != 2 || v.PublicKeys[0] != v.PublicKeys[1] {
		t.Errorf("%d secrets, %d RSA keys, public keys %v", len(v.Secrets), len(v.FaTPayKeys), v.PublicKeys)
	}
	for why, key := range map[string]string{
		"a private key must never be needed here": whsk, "cut off": secret[:20], "nothing": "", "a public key that is cut": whpk[:20],
		"PEM of nothing": strings.Replace(string(rsaPEM), "MII", "AAA", 1), "another tool's key": "sk_live_1",
	} {
		if err := v.AddKey(key); err == nil || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// Whatever is wrong is one of the kinds that errors.Is finds.
func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	err := v1(secret).Verify(sealed(t, signerV1(t, secret)), indented(body))
	if !errors.Is(err, receiver.ErrAltered) || !errors.Is(err, receiver.ErrNoMatch) {
		t.Error(err)
	}
}

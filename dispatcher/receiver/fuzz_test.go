package receiver_test

import (
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/receiver"
)

// Whatever comes in: nothing panics, what is read is bounded by what came, and no seal holds that we did not make.
func FuzzReceive(f *testing.F) {
	sealedV1 := sealed(f, signerV1(f, secret)).Header
	f.Add("d-1", "1700000000", sealedV1.Get("webhook-signature"), "", "state.completed,/a%2C", string(body))
	f.Add("d-1", "1700000000", "v1,AAAA v1a,AAAA v9", "p&q", "%", `{"order":{"id":1},"status":"","message":""}`)
	f.Add("d-1", "sha-256=:AAAA:", `sig1=:AAAA:`, "", `sig1=("@method" "webhook-id");created=1;alg="ed25519"`, string(body))
	f.Add("", "-1", "v1,", "123", ",,", `{"event_schema_version":1,"event_type":"A::B","metadata":{},"payload":{"order_nr":null}}`)
	all := receiver.Verifier{Secrets: []string{secret}, PublicKeys: []string{whpk},
		FaTPayKeys: []*rsa.PublicKey{&rsaKey().PublicKey}, Now: at(now)}
	f.Fuzz(func(t *testing.T, id, timestamp, signature, nonce, scope, text string) {
		r := httptest.NewRequest(http.MethodPost, "/in", strings.NewReader(text))
		for name, value := range map[string]string{
			"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature, "X-FP-Nonce": nonce,
			"X-FP-Partner-Id": nonce, "X-FP-Timestamp": timestamp, "X-FP-Signature": signature,
			"Signature-Input": scope, "Signature": signature, "Content-Digest": timestamp, "X-Tidings-Order": nonce,
			"X-Tidings-Scope": scope, "X-Tidings-Attempt": timestamp, "ce-subject": scope,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		m, err := receiver.Read(r)
		if string(m.Body) != text || strings.Join(m.Scope, "") != "" && len(strings.Join(m.Scope, ",")) > len(scope) {
			t.Fatalf("%q %q", m.Body, m.Scope)
		}
		if err == nil && m.Attempt < 0 {
			t.Fatal(m.Attempt)
		}
		why := all.Verify(r, m.Body)
		ours := id == "d-1" && timestamp == "1700000000" && text == string(body) && nonce == ""
		if why == nil && !ours {
			t.Fatalf("a seal holds that nobody made: %v", r.Header)
		}
		if why != nil && receiver.ReasonOf(why) == receiver.ReasonBadKey {
			t.Fatalf("the keys are blamed: %v", why)
		}
	})
}

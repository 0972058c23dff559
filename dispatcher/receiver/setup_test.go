package receiver_test

import (
	"bytes"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

var now = time.Unix(1_700_000_000, 0)

// The keys are made anew in each run of the tests; none is ever kept.
var (
	secret        = sign.GenerateSecret()
	whsk, whpk    = sign.GenerateKeyV1a()
	rsaKey        = sync.OnceValue(sign.GenerateRSAKey)
	body          = []byte(`{"id":"1001","merchant":"acme","channel":"web","link":"https://x/?a=1&b=<2>"}`)
	target        = "http://partner.example.com/in?token=x"
	sealedTarget  = "https://partner.example.com/in?token=x" // what the sender knows: a proxy has taken the TLS off
	sealedMessage = sign.Message{Method: "POST", URL: sealedTarget, ID: "d-1", Timestamp: now, ContentType: "application/json", Body: body}
)

func signerV1(t testing.TB, secrets ...string) sign.Signer {
	t.Helper()
	s, err := sign.NewStandardWebhooks(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signerV1a(t testing.TB) sign.Signer {
	t.Helper()
	s, err := sign.NewStandardWebhooksV1a(whsk)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signerHTTP(t testing.TB, keys ...string) sign.Signer {
	t.Helper()
	s, err := sign.NewHTTPMessageSignatures(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signerFaTPay(t testing.TB, key *rsa.PrivateKey) sign.Signer {
	t.Helper()
	s, err := sign.NewFaTPay(sign.FaTPay{PartnerID: "p1", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sealed is the message as a receiver's handler gets it, sealed by each of the signers.
func sealed(t testing.TB, signers ...sign.Signer) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	r.RequestURI = "/in?token=x" // as a server has it; httptest gives the whole URL
	r.Header.Set("Content-Type", sealedMessage.ContentType)
	r.Header.Set("webhook-id", sealedMessage.ID)
	r.Header.Set("webhook-timestamp", "1700000000")
	for _, s := range signers {
		header, err := s.Sign(sealedMessage)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			r.Header[name] = values
		}
	}
	return r
}

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func v1(secrets ...string) receiver.Verifier {
	return receiver.Verifier{Secrets: secrets, Now: at(now)}
}

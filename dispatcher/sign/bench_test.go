package sign_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// BenchmarkSign seals 1 KB by each scheme, from the secret as it is kept, as every attempt does.
func BenchmarkSign(b *testing.B) {
	m := sign.Message{
		Method: "POST", URL: "https://erp.example.com/orders?token=x", ID: "0190f4c8", Timestamp: time.Unix(1_700_000_000, 0),
		ContentType: "application/json", Body: bytes.Repeat([]byte("x"), 1024),
	}
	secret := sign.GenerateSecret()
	private, _ := sign.GenerateKeyV1a()
	rsaKey := sign.GenerateRSAKey()
	for name, signer := range map[string]func() (sign.Signer, error){
		"standard-webhooks":               func() (sign.Signer, error) { return sign.NewStandardWebhooks(secret) },
		"standard-webhooks-v1a":           func() (sign.Signer, error) { return sign.NewStandardWebhooksV1a(private) },
		"http-message-signatures HMAC":    func() (sign.Signer, error) { return sign.NewHTTPMessageSignatures(secret) },
		"http-message-signatures ed25519": func() (sign.Signer, error) { return sign.NewHTTPMessageSignatures(private) },
		"fatpay":                          func() (sign.Signer, error) { return sign.NewFaTPay(sign.FaTPay{PartnerID: "p", Key: rsaKey}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := signer()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Sign(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

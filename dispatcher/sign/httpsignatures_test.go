package sign_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

var httpMessage = sign.Message{
	Method: "POST", URL: "https://erp.example.com:8443/a%2Fb/orders?token=a%20b&x", ID: "0f7c3bd0a1856b7cc923de38a21d444e",
	ContentType: "application/json", Body: []byte(`{"a":1}`),
}

// pattern takes one signature apart.
var pattern = regexp.MustCompile(`^(sig\d)=(\(("[^"]+" ?)+\);created=(\d+);alg="([^"]+)";keyid="([^"]+)")$`)

const covered = `("@method" "@authority" "@path" "@query" "content-digest" "content-type" "webhook-id")`

// What is sealed holds for whoever computes the base and the signature by himself.
func TestHTTPMessageSignaturesHoldElsewhere(t *testing.T) {
	t.Parallel()
	secret, other := sign.GenerateSecret(), sign.GenerateSecret()
	private, public := sign.GenerateKeyV1a()
	verifying, err := sign.ParsePublicKeyV1a(public)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.NewHTTPMessageSignatures(secret, private, other)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Unix()
	m := httpMessage
	m.Timestamp = time.Now()
	header, err := signer.Sign(m)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(m.Body)
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":"; header.Get("Content-Digest") != want {
		t.Errorf("content-digest %s, want %s", header.Get("Content-Digest"), want)
	}
	sent := header.Clone()
	sent.Set("Content-Type", m.ContentType)
	jwk, _ := sign.PublicJWK(verifying, "")
	inputs, signatures := strings.Split(header.Get("Signature-Input"), ", "), strings.Split(header.Get("Signature"), ", ")
	if len(inputs) != 3 || len(signatures) != 3 {
		t.Fatalf("%q %q", inputs, signatures)
	}
	for i, key := range []string{secret, "", other} {
		part := pattern.FindStringSubmatch(inputs[i])
		if part == nil || part[1] != fmt.Sprintf("sig%d", i+1) || !strings.HasPrefix(part[2], covered) || part[4] < fmt.Sprint(before) {
			t.Fatalf("signature-input %d: %s", i, inputs[i])
		}
		encoded := strings.TrimSuffix(strings.TrimPrefix(signatures[i], part[1]+"=:"), ":")
		signature := unbase64(t, base64.StdEncoding, encoded)
		text := []byte(base(m.Method, m.URL, sent, strings.Split(strings.Trim(covered, `()"`), `" "`), part[2]))
		if key == "" {
			if !ed25519.Verify(verifying, text, signature) || part[5] != "ed25519" || part[6] != jwk.Kid {
				t.Errorf("ed25519: %s over\n%s", inputs[i], text)
			}
			continue
		}
		raw := unbase64(t, base64.StdEncoding, strings.TrimPrefix(key, "whsec_"))
		if !hmac.Equal(hmacOf(raw, string(text)), signature) || part[5] != "hmac-sha256" {
			t.Errorf("hmac: %s over\n%s", inputs[i], text)
		}
		if len(part[6]) != len("hmac-")+12 || strings.Contains(key, strings.TrimPrefix(part[6], "hmac-")) {
			t.Errorf("keyid %q", part[6])
		}
	}
	if inputs[0][len(inputs[0])-13:] == inputs[2][len(inputs[2])-13:] {
		t.Error("two secrets have one keyid")
	}
}

func TestHTTPMessageSignaturesRefuse(t *testing.T) {
	t.Parallel()
	secret := sign.GenerateSecret()
	signer, err := sign.NewHTTPMessageSignatures(secret)
	if err != nil {
		t.Fatal(err)
	}
	for why, change := range map[string]func(*sign.Message){
		"no content type":            func(m *sign.Message) { m.ContentType = "" },
		"an id with a space":         func(m *sign.Message) { m.ID = "a b" },
		"no host":                    func(m *sign.Message) { m.URL = "https:///x?s3cret" },
		"a semicolon in the query":   func(m *sign.Message) { m.URL = "https://x.example/?s3cret;b" },
		"a stray percent sign in it": func(m *sign.Message) { m.URL = "https://x.example/?s3cret%zz" },
	} {
		m := httpMessage
		change(&m)
		if header, err := signer.Sign(m); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, %v", why, header, err)
		}
	}
	for _, keys := range [][]string{nil, {"whsec_short"}, {secret, "whpk_x"}, {"x"}} {
		if _, err := sign.NewHTTPMessageSignatures(keys...); err == nil {
			t.Errorf("%q were taken", keys)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", signer, signer, signer, signer); strings.Contains(text, secret[6:]) || strings.Contains(text, "0x") {
		t.Errorf("the signer prints itself as %s", text)
	}
}

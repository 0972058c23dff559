package sign_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/sign"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestRSAKeyPEM(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	if key.N.BitLen() != 2048 {
		t.Errorf("a new key has %d bits", key.N.BitLen())
	}
	text, err := sign.RSAKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sign.ParseRSAKeyPEM(text)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Equal(key) {
		t.Error("another key came back")
	}
	if _, err := sign.RSAKeyPEM(nil); err == nil {
		t.Error("no key was written")
	}
}

func TestParseRSAKeyPEMRefuses(t *testing.T) {
	t.Parallel()
	good, err := sign.RSAKeyPEM(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.PublicPEM(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	edwardsDER, err := x509.MarshalPKCS8PrivateKey(edwards)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	smallDER, err := x509.MarshalPKCS8PrivateKey(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why  string
		text []byte
		says string
	}{
		{"nothing", nil, "PEM"},
		{"no PEM", []byte("MIIEvQ=="), "PEM"},
		{"PKCS#1, as older tools write it", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), "PKCS#1"},
		{"encrypted", block("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted"},
		{"a public key", public, "public key"},
		{"another algorithm", block("PRIVATE KEY", edwardsDER), "RSA"},
		{"too small", block("PRIVATE KEY", smallDER), "2048"},
		{"broken", block("PRIVATE KEY", []byte("x")), "PKCS#8"},
		{"two keys", append(bytes.Clone(good), good...), "nothing after it"},
	} {
		key, err := sign.ParseRSAKeyPEM(row.text)
		if err == nil {
			t.Errorf("%s: read as %v", row.why, key.PublicKey)
		} else if !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %q does not say %q", row.why, err, row.says)
		}
	}
	if _, err := sign.ParsePublicPEM(good); err == nil || !strings.Contains(err.Error(), "must not be handed out") {
		t.Errorf("a private key given as a public one: %v", err)
	}
}

func TestPublicPEM(t *testing.T) {
	t.Parallel()
	_, whpk := sign.GenerateKeyV1a()
	edwards, err := sign.ParsePublicKeyV1a(whpk)
	if err != nil {
		t.Fatal(err)
	}
	for _, pub := range []any{&rsaKey().PublicKey, edwards} {
		text, err := sign.PublicPEM(pub)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := sign.ParsePublicPEM(text); err != nil || !reflect.DeepEqual(again, pub) {
			t.Errorf("%T: another key came back: %v", pub, err)
		}
	}
	v, _ := readFatPay(t)
	pub, err := sign.ParsePublicPEM([]byte(v.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := sign.PublicPEM(pub); string(text) != v.PublicKey || err != nil {
		t.Errorf("the published key is written as\n%s%v", text, err)
	}
}

func TestPublicKeysOfOtherKindsAreRefused(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for why, pub := range map[string]any{
		"nothing":                    nil,
		"no RSA key":                 (*rsa.PublicKey)(nil),
		"a private RSA key":          rsaKey(),
		"a private ed25519 key":      edwards,
		"an ed25519 key cut off":     ed25519.PublicKey{1},
		"another algorithm":          &curve.PublicKey,
		"a small RSA key":            &rsa.PublicKey{N: big.NewInt(3233), E: 17},
		"an RSA key with exponent 1": &rsa.PublicKey{N: rsaKey().N, E: 1},
	} {
		if text, err := sign.PublicPEM(pub); err == nil {
			t.Errorf("%s: written as %s", why, text)
		}
		if key, err := sign.PublicJWK(pub, ""); err == nil {
			t.Errorf("%s: written as %v", why, key)
		}
	}
}

// The keys and thumbprints that the RFCs print.
func TestPublicJWK(t *testing.T) {
	t.Parallel()
	const (
		n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6" +
			"4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91" +
			"CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
		x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	)
	decode := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, row := range []struct {
		why, kid, want string
		pub            any
	}{
		{why: "RFC 7638 section 3.1", pub: &rsa.PublicKey{N: new(big.Int).SetBytes(decode(n)), E: 65537},
			want: `{"kty":"RSA","kid":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs","use":"sig","alg":"RS256","n":"` + n + `","e":"AQAB"}`},
		{why: "RFC 8037 appendix A.3", pub: ed25519.PublicKey(decode(x)),
			want: `{"kty":"OKP","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA","crv":"Ed25519","x":"` + x + `"}`},
		{why: "a kid of one's own", pub: ed25519.PublicKey(decode(x)), kid: "2026",
			want: `{"kty":"OKP","kid":"2026","use":"sig","alg":"EdDSA","crv":"Ed25519","x":"` + x + `"}`},
	} {
		key, err := sign.PublicJWK(row.pub, row.kid)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(key); string(got) != row.want || err != nil {
			t.Errorf("%s:\n%s, want\n%s: %v", row.why, got, row.want, err)
		}
	}
}

// FuzzParsePEM: no text makes a parser panic, and a key that was read can be written.
func FuzzParsePEM(f *testing.F) {
	v, _ := readFatPay(f)
	f.Add([]byte(v.PublicKey))
	f.Add([]byte("-----BEGIN " + "PRIVATE KEY-----\nMAA=\n-----END " + "PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if pub, err := sign.ParsePublicPEM(text); err == nil {
			if _, err := sign.PublicPEM(pub); err != nil {
				t.Errorf("read and not written: %v", err)
			}
			if _, err := sign.PublicJWK(pub, ""); err != nil {
				t.Errorf("read and not written: %v", err)
			}
		}
		if key, err := sign.ParseRSAKeyPEM(text); err == nil {
			if _, err := sign.RSAKeyPEM(key); err != nil {
				t.Errorf("read and not written: %v", err)
			}
		}
	})
}

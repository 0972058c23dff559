package sign

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
)

// JWK is a public key as JSON, for a JWK set that receivers fetch:
//
//	{"kty":"RSA","kid":"<id>","use":"sig","alg":"RS256","n":"<modulus>","e":"<exponent>"}
//	{"kty":"OKP","kid":"<id>","use":"sig","alg":"EdDSA","crv":"Ed25519","x":"<public key>"}
//
// It has no members for private parts.
//
// Spec: RFC 7517 (JWK), RFC 7518 section 6.3 (RSA), RFC 8037 section 2 (ed25519), RFC 7638 (thumbprint)
type JWK struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

// PublicJWK writes a *rsa.PublicKey of 2048 to 8192 bits or an ed25519.PublicKey as a JWK for verifying seals. It
// refuses every other type, above all a private key. An empty kid becomes the key's thumbprint by RFC 7638 with SHA-256,
// which is the same wherever it is computed.
func PublicJWK(pub any, kid string) (JWK, error) {
	if err := checkPublic(pub); err != nil {
		return JWK{}, err
	}
	key := JWK{Kid: kid, Use: "sig"}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		key.Kty, key.Alg = "RSA", "RS256"
		key.N, key.E = base64URL(pub.N.Bytes()), base64URL(big.NewInt(int64(pub.E)).Bytes())
	case ed25519.PublicKey:
		key.Kty, key.Alg, key.Crv = "OKP", "EdDSA", "Ed25519"
		key.X = base64URL(pub)
	}
	if key.Kid == "" {
		key.Kid = key.thumbprint()
	}
	return key, nil
}

// thumbprint hashes the required members alone, in the order of their names and without spaces. Their values are
// base64url or fixed words, so nothing needs escaping.
func (k JWK) thumbprint() string {
	members := fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, k.E, k.N)
	if k.Kty == "OKP" {
		members = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, k.X)
	}
	sum := sha256.Sum256([]byte(members))
	return base64URL(sum[:])
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

package sign

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Public keys as receivers' tools read them, in SPKI:
//
//	-----BEGIN PUBLIC KEY-----
//	<base64 of the DER of SubjectPublicKeyInfo>
//	-----END PUBLIC KEY-----
//
// Spec: RFC 5280 section 4.1, RFC 8410 (ed25519), RFC 7468 section 13 (its PEM form)
const pemPublic = "PUBLIC KEY"

// PublicPEM writes a *rsa.PublicKey of 2048 to 8192 bits or an ed25519.PublicKey as SPKI in PEM. It refuses every other
// type, above all a private key.
func PublicPEM(pub any) ([]byte, error) {
	if err := checkPublic(pub); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("writing the public key as SPKI: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// ParsePublicPEM reads what PublicPEM writes: the result is a *rsa.PublicKey or an ed25519.PublicKey. Its errors never
// hold the text, which may be a private key given by mistake.
func ParsePublicPEM(text []byte) (any, error) {
	der, err := onlyPEM(text, pemPublic)
	if err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the public key is not valid SPKI")
	}
	if err := checkPublic(pub); err != nil {
		return nil, err
	}
	return pub, nil
}

func checkPublic(pub any) error {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if key == nil {
			return errors.New("there is no RSA key")
		}
		return checkRSASize(key)
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("an ed25519 public key must be %d bytes long, not %d", ed25519.PublicKeySize, len(key))
		}
		return nil
	default:
		return fmt.Errorf("a public key of RSA or ed25519 is wanted, not a %T", pub)
	}
}

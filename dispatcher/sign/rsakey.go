package sign

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// RSA keys for FaTPay. Private keys are kept as unencrypted PKCS#8: PEM of the type PRIVATE KEY around the DER of
// PrivateKeyInfo.
//
// Spec: RFC 5958 (PKCS#8), RFC 7468 section 10 (its PEM form)
const (
	newRSABits = 2048
	minRSABits = 2048
	maxRSABits = 8192 // a larger key would hold up a worker for seconds at every seal

	pemPrivate = "PRIVATE KEY"
)

// GenerateRSAKey makes a new RSA key of 2048 bits, the size that FaTPay's sample signature has.
func GenerateRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, newRSABits)
	if err != nil {
		panic("generating an RSA key: " + err.Error()) // never: crypto/rand ends the program instead
	}
	return key
}

// RSAKeyPEM writes a private key as PKCS#8 in PEM. The result is a secret in plain text: it must not be logged, and must
// be sealed before it is stored.
func RSAKeyPEM(key *rsa.PrivateKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("there is no RSA key to write")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.New("the RSA key is not consistent") // the cause could name parts of the key
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

// ParseRSAKeyPEM reads a private key of 2048 to 8192 bits from PKCS#8 in PEM. Its errors are worded for the person who
// registers and never hold the key.
func ParseRSAKeyPEM(text []byte) (*rsa.PrivateKey, error) {
	der, err := onlyPEM(text, pemPrivate)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the private key is not valid PKCS#8")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key must be an RSA key")
	}
	if err := checkRSASize(&key.PublicKey); err != nil {
		return nil, err
	}
	return key, nil
}

// onlyPEM gives the content of the one PEM block of a text. Remarks before it, as some tools write, are passed over.
func onlyPEM(text []byte, wanted string) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the key must be PEM, from BEGIN %s to END %s", wanted, wanted)
	}
	if block.Type != wanted {
		return nil, fmt.Errorf("the PEM must hold a %s, not what its first line says%s", wanted, pemAdvice(block.Type))
	}
	for _, c := range rest {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return nil, errors.New("the PEM must hold one key and nothing after it")
		}
	}
	return block.Bytes, nil
}

func pemAdvice(blockType string) string {
	switch blockType {
	case "RSA PRIVATE KEY":
		return ": it is PKCS#1, which `openssl pkcs8 -topk8 -nocrypt` turns into PKCS#8"
	case "ENCRYPTED PRIVATE KEY":
		return ": it is encrypted, which `openssl pkcs8 -topk8 -nocrypt` undoes"
	case pemPrivate:
		return ": it is a private key and must not be handed out"
	case pemPublic:
		return ": it is a public key"
	default:
		return ""
	}
}

func checkRSASize(key *rsa.PublicKey) error {
	if key.N == nil || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits {
		return fmt.Errorf("the RSA key must be of %d to %d bits", minRSABits, maxRSABits)
	}
	if key.E < 3 || key.E&1 == 0 || key.E > 1<<31-1 {
		return errors.New("the RSA key must have an odd public exponent from 3 to 2147483647")
	}
	return nil
}

package sign

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Standard Webhooks 1.0.0, scheme v1a: the headers and the sealed content of v1, sealed by ed25519 instead of HMAC, so
// that a receiver needs no secret:
//
//	webhook-signature: v1a,<base64 of the ed25519 signature over "<id>.<timestamp>.<body>">[ v1a,<...>]
//	signing key:       whsk_<base64 of the 32-byte seed and the 32-byte public key>
//	verifying key:     whpk_<base64 of the 32-byte public key>
//
// Spec: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const (
	keyPrefixV1a    = "whsk_"
	publicPrefixV1a = "whpk_"
	entryPrefixV1a  = "v1a,"
)

type standardWebhooksV1a struct{ keys []ed25519.PrivateKey }

// NewStandardWebhooksV1a makes a signer by the v1a scheme from keys that begin with whsk_. Each key gives one entry of
// the signature list, in the order given: while a key is being replaced, give the new one first and the old one after it.
func NewStandardWebhooksV1a(keys ...string) (Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key to sign with")
	}
	decoded := make([]ed25519.PrivateKey, len(keys))
	for i, key := range keys {
		private, err := decodeKeyV1a(key)
		if err != nil {
			return nil, fmt.Errorf("key %d of %d: %w", i+1, len(keys), err)
		}
		decoded[i] = private
	}
	return standardWebhooksV1a{decoded}, nil
}

// Sign returns webhook-id, webhook-timestamp and webhook-signature.
func (s standardWebhooksV1a) Sign(m Message) (http.Header, error) {
	timestamp, err := sealable(m)
	if err != nil {
		return nil, err
	}
	content := contentV1a(m.ID, timestamp, m.Body)
	entries := make([]string, len(s.keys))
	for i, key := range s.keys {
		entries[i] = entryPrefixV1a + base64.StdEncoding.EncodeToString(ed25519.Sign(key, content))
	}
	return standardHeader(m.ID, timestamp, entries), nil
}

// Format keeps the keys out of every log line, whatever the verb.
func (s standardWebhooksV1a) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "Standard Webhooks v1a signer (keys not shown)")
}

// contentV1a is one piece, because ed25519 reads its message twice.
func contentV1a(id, timestamp string, body []byte) []byte {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id+"."+timestamp+"."...)
	return append(content, body...)
}

// GenerateKeyV1a makes a new key pair: secret begins with whsk_ and signs, public begins with whpk_ and is for
// receivers. Only secret needs hiding.
func GenerateKeyV1a() (secret, public string) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic("generating an ed25519 key: " + err.Error()) // never: crypto/rand ends the program instead
	}
	return keyPrefixV1a + base64.StdEncoding.EncodeToString(private), publicPrefixV1a + base64.StdEncoding.EncodeToString(pub)
}

// CheckKeyV1a refuses a signing key that cannot seal: it must begin with whsk_, and its public half must belong to its
// seed. Its errors are worded for the person who registers and never hold the key.
func CheckKeyV1a(s string) error {
	_, err := decodeKeyV1a(s)
	return err
}

// PublicKeyV1a gives the whpk_ key that receivers of a whsk_ key's seals verify with. Its errors are those of CheckKeyV1a.
func PublicKeyV1a(secret string) (string, error) {
	private, err := decodeKeyV1a(secret)
	if err != nil {
		return "", err
	}
	return publicPrefixV1a + base64.StdEncoding.EncodeToString(private[ed25519.SeedSize:]), nil
}

// ParsePublicKeyV1a reads a whpk_ key, for PublicPEM and PublicJWK or to check what a receiver was given.
func ParsePublicKeyV1a(public string) (ed25519.PublicKey, error) {
	if strings.HasPrefix(public, keyPrefixV1a) {
		return nil, errors.New(`a key that begins with "whsk_" is the sender's private key: give its public half, which begins with "whpk_"`)
	}
	return decodeV1a(public, publicPrefixV1a, ed25519.PublicKeySize)
}

// decodeKeyV1a refuses a public half of another seed: such a key makes seals that nobody can verify, and seals of one
// message under two public halves give the seed away.
func decodeKeyV1a(s string) (ed25519.PrivateKey, error) {
	if strings.HasPrefix(s, publicPrefixV1a) {
		return nil, errors.New(`a key that begins with "whpk_" is public and cannot sign: give the one that begins with "whsk_"`)
	}
	raw, err := decodeV1a(s, keyPrefixV1a, ed25519.PrivateKeySize)
	if err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if subtle.ConstantTimeCompare(key, raw) != 1 {
		return nil, errors.New("the second half of the key must be the public key of its first half")
	}
	return key, nil
}

func decodeV1a(s, prefix string, size int) ([]byte, error) {
	encoded, found := strings.CutPrefix(s, prefix)
	if !found {
		return nil, fmt.Errorf("the key must begin with %q", prefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // the decoder skips line breaks, a receiver may not
		return nil, fmt.Errorf("the key must be base64 after %q", prefix)
	}
	if len(raw) != size {
		return nil, fmt.Errorf("the key must be %d bytes long after %q, not %d", size, prefix, len(raw))
	}
	return raw, nil
}

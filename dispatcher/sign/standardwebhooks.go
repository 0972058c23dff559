package sign

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Standard Webhooks 1.0.0, scheme v1:
//
//	webhook-id: <id>
//	webhook-timestamp: <unix seconds of this attempt>
//	webhook-signature: v1,<base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>">[ v1,<...>]
//
// Spec: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"

	secretPrefix   = "whsec_"
	minSecretBytes = 24
	maxSecretBytes = 64
	newSecretBytes = 32
	entryPrefix    = "v1,"
)

type standardWebhooks struct{ keys [][]byte }

// NewStandardWebhooks makes a signer by the v1 scheme. Each secret gives one entry of the signature list, in the order
// given: while a secret is being replaced, give the new one first and the old one after it.
func NewStandardWebhooks(secrets ...string) (Signer, error) {
	keys, err := decodeSecrets(secrets)
	if err != nil {
		return nil, err
	}
	return standardWebhooks{keys}, nil
}

// Sign returns webhook-id, webhook-timestamp and webhook-signature.
func (s standardWebhooks) Sign(m Message) (http.Header, error) {
	timestamp, err := sealable(m)
	if err != nil {
		return nil, err
	}
	entries := make([]string, len(s.keys))
	for i, key := range s.keys {
		entries[i] = entryPrefix + base64.StdEncoding.EncodeToString(seal(key, m.ID, timestamp, m.Body))
	}
	return standardHeader(m.ID, timestamp, entries), nil
}

// sealable refuses a message that Standard Webhooks cannot seal, in either version, and gives the timestamp as text.
func sealable(m Message) (timestamp string, err error) {
	if !validID(m.ID) {
		return "", errors.New("sealing by Standard Webhooks: the id must be printable ASCII without spaces and full stops")
	}
	if m.Timestamp.Unix() < 0 {
		return "", errors.New("sealing by Standard Webhooks: the timestamp is missing or before 1970")
	}
	return strconv.FormatInt(m.Timestamp.Unix(), 10), nil
}

func standardHeader(id, timestamp string, entries []string) http.Header {
	header := make(http.Header, 3)
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, strings.Join(entries, " "))
	return header
}

// Format keeps the keys out of every log line, whatever the verb.
func (s standardWebhooks) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "Standard Webhooks signer (secrets not shown)")
}

func seal(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// validID refuses a full stop, which separates the parts of what is signed: with one in the id, two messages could have
// the same signed content.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '.' })
}

// GenerateSecret makes a new secret of 32 random bytes.
func GenerateSecret() string {
	key := make([]byte, newSecretBytes)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// CheckSecret refuses a secret that cannot seal. Its errors are worded for the person who registers and never hold the
// secret.
func CheckSecret(s string) error {
	_, err := decodeSecret(s)
	return err
}

func decodeSecrets(secrets []string) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret to sign with")
	}
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		key, err := decodeSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("secret %d of %d: %w", i+1, len(secrets), err)
		}
		keys[i] = key
	}
	return keys, nil
}

func decodeSecret(s string) ([]byte, error) {
	encoded, found := strings.CutPrefix(s, secretPrefix)
	if !found {
		return nil, errors.New(`the secret must begin with "whsec_"`)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // the decoder skips line breaks, a receiver may not
		return nil, errors.New(`the secret must be base64 after "whsec_"`)
	}
	if len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, fmt.Errorf("the secret must be %d to %d bytes long, not %d", minSecretBytes, maxSecretBytes, len(key))
	}
	return key, nil
}

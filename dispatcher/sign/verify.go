package sign

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Why a seal does not hold. ErrAltered is proved: only a scheme that seals a digest apart can tell. ErrBadURL is also what a signer answers to a message that its scheme cannot seal for its
// URL; only the verifiers return the others.
var (
	ErrMissingHeader = errors.New("a header of the seal is missing")
	ErrBadHeader     = errors.New("a header of the seal cannot be read")
	ErrTooOld        = errors.New("the timestamp is too old")
	ErrTooNew        = errors.New("the timestamp is too new")
	ErrNoMatch       = errors.New("no signature matches")
	ErrAltered       = errors.New("the body was altered after it was sealed")
	ErrBadURL        = errors.New("the method and URL cannot be sealed")
)

// VerifyStandardWebhooks checks the seal of a received request as a receiver would: the three headers are there, the
// timestamp is within tolerance of now, in whole seconds, and at least one entry is by one of the keys. Keys that begin
// with whsec_ are secrets and are tried on v1 entries alone, keys that begin with whpk_ are public and are tried on v1a
// entries alone; they may be mixed. Entries of other versions are passed over. The error is one of the Err values above
// with what exactly is wrong, or that of an unusable key; it never holds a secret or the signature that would have
// been right.
func VerifyStandardWebhooks(headers http.Header, body []byte, now time.Time, tolerance time.Duration, secretsOrPublicKeys ...string) error {
	keys, err := decodeVerifyKeys(secretsOrPublicKeys)
	if err != nil {
		return err
	}
	for _, name := range []string{headerID, headerTimestamp, headerSignature} {
		if headers.Get(name) == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, name)
		}
	}
	id, timestamp, list := headers.Get(headerID), headers.Get(headerTimestamp), headers.Get(headerSignature)
	if err := checkTimestamp(headerTimestamp, timestamp, now, tolerance); err != nil {
		return err
	}
	v1, v1a := parseEntries(list, entryPrefix, sha256.Size), parseEntries(list, entryPrefixV1a, ed25519.SignatureSize)
	if keys.matchV1(v1, id, timestamp, body) || keys.matchV1a(v1a, id, timestamp, body) {
		return nil
	}
	var reasons []string
	if n := len(keys.secrets); n > 0 {
		reasons = append(reasons, v1.why("v1", n, "secrets"))
	}
	if n := len(keys.publics); n > 0 {
		reasons = append(reasons, v1a.why("v1a", n, "public keys"))
	}
	return fmt.Errorf("%w: %s", ErrNoMatch, strings.Join(reasons, "; "))
}

// verifyKeys are what a receiver holds, by the version that each is for.
type verifyKeys struct {
	secrets [][]byte
	publics []ed25519.PublicKey
}

func decodeVerifyKeys(texts []string) (verifyKeys, error) {
	if len(texts) == 0 {
		return verifyKeys{}, errors.New("there is no secret or public key to verify with")
	}
	var keys verifyKeys
	for i, text := range texts {
		if err := keys.add(text); err != nil {
			return verifyKeys{}, fmt.Errorf("key %d of %d: %w", i+1, len(texts), err)
		}
	}
	return keys, nil
}

func (k *verifyKeys) add(text string) error {
	switch {
	case strings.HasPrefix(text, secretPrefix):
		secret, err := decodeSecret(text)
		if err != nil {
			return err
		}
		k.secrets = append(k.secrets, secret)
	case strings.HasPrefix(text, publicPrefixV1a), strings.HasPrefix(text, keyPrefixV1a):
		public, err := ParsePublicKeyV1a(text)
		if err != nil {
			return err
		}
		k.publics = append(k.publics, public)
	default:
		return errors.New(`it must begin with "whsec_" (a secret, for v1) or "whpk_" (a public key, for v1a)`)
	}
	return nil
}

func (k verifyKeys) matchV1(e entries, id, timestamp string, body []byte) bool {
	if len(e.readable) == 0 {
		return false
	}
	for _, secret := range k.secrets {
		want := seal(secret, id, timestamp, body)
		for _, signature := range e.readable {
			if hmac.Equal(want, signature) {
				return true
			}
		}
	}
	return false
}

func (k verifyKeys) matchV1a(e entries, id, timestamp string, body []byte) bool {
	if len(e.readable) == 0 || len(k.publics) == 0 {
		return false
	}
	content := contentV1a(id, timestamp, body)
	for _, public := range k.publics {
		for _, signature := range e.readable {
			if ed25519.Verify(public, content, signature) {
				return true
			}
		}
	}
	return false
}

// checkTimestamp accepts digits only, so that neither a sign nor a space nor an exponent is a matter of taste.
func checkTimestamp(name, text string, now time.Time, tolerance time.Duration) error {
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("%w: %s is not a number of seconds since 1970", ErrBadHeader, name)
	}
	age := now.Unix() - int64(seconds)
	limit := int64(tolerance / time.Second)
	switch {
	case age > limit:
		return fmt.Errorf("%w: by %d s, %d s are allowed", ErrTooOld, age, limit)
	case -age > limit:
		return fmt.Errorf("%w: by %d s, %d s are allowed", ErrTooNew, -age, limit)
	}
	return nil
}

// entries are those of one version in a signature list.
type entries struct {
	readable [][]byte
	total    int
}

// parseEntries reads the entries of one version in a space-separated list and passes over whatever else is in it.
func parseEntries(list, prefix string, size int) entries {
	var e entries
	for entry := range strings.FieldsSeq(list) {
		encoded, found := strings.CutPrefix(entry, prefix)
		if !found {
			continue
		}
		e.total++
		signature, err := base64.StdEncoding.Strict().DecodeString(encoded) // strict: one spelling
		if err == nil && len(signature) == size {
			e.readable = append(e.readable, signature)
		}
	}
	return e
}

// why says what kept the keys of this version from matching.
func (e entries) why(version string, keys int, kind string) string {
	switch {
	case e.total == 0:
		return fmt.Sprintf("the list holds no %s entry for %d %s", version, keys, kind)
	case len(e.readable) == 0:
		return fmt.Sprintf("the list holds no %s entry that can be read, of %d", version, e.total)
	default:
		return fmt.Sprintf("tried %d %s entries with %d %s", len(e.readable), version, keys, kind)
	}
}

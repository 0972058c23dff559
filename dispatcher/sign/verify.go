package sign

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Why a seal does not hold. Only VerifyStandardWebhooks returns these.
var (
	ErrMissingHeader = errors.New("a header of the seal is missing")
	ErrBadHeader     = errors.New("a header of the seal cannot be read")
	ErrTooOld        = errors.New("the timestamp is too old")
	ErrTooNew        = errors.New("the timestamp is too new")
	ErrNoMatch       = errors.New("no signature matches")
)

// VerifyStandardWebhooks checks the v1 seal of a received request as a receiver would: the three headers are there, the
// timestamp is within tolerance of now, in whole seconds, and at least one v1 entry is by one of the secrets. Entries
// of other versions are passed over. The error is one of the Err values above with what exactly is wrong, or that of
// an unusable secret; it never holds a secret or the signature that would have been right.
func VerifyStandardWebhooks(headers http.Header, body []byte, now time.Time, tolerance time.Duration, secrets ...string) error {
	keys, err := decodeSecrets(secrets)
	if err != nil {
		return err
	}
	for _, name := range []string{headerID, headerTimestamp, headerSignature} {
		if headers.Get(name) == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, name)
		}
	}
	timestamp := headers.Get(headerTimestamp)
	if err := checkTimestamp(timestamp, now, tolerance); err != nil {
		return err
	}
	signatures := parseSignatures(headers.Get(headerSignature))
	if len(signatures) == 0 {
		return fmt.Errorf("%w: the list holds no v1 entry that can be read", ErrNoMatch)
	}
	for _, key := range keys {
		want := seal(key, headers.Get(headerID), timestamp, body)
		for _, signature := range signatures {
			if hmac.Equal(want, signature) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: tried %d v1 entries with %d secrets", ErrNoMatch, len(signatures), len(keys))
}

// checkTimestamp accepts digits only, so that neither a sign nor a space nor an exponent is a matter of taste.
func checkTimestamp(text string, now time.Time, tolerance time.Duration) error {
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("%w: %s is not a number of seconds since 1970", ErrBadHeader, headerTimestamp)
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

// parseSignatures reads the v1 entries of a space-separated list and passes over whatever else is in it.
func parseSignatures(list string) [][]byte {
	var signatures [][]byte
	for entry := range strings.FieldsSeq(list) {
		encoded, found := strings.CutPrefix(entry, entryPrefix)
		if !found {
			continue
		}
		signature, err := base64.StdEncoding.Strict().DecodeString(encoded) // strict: one spelling
		if err == nil && len(signature) > 0 {
			signatures = append(signatures, signature)
		}
	}
	return signatures
}

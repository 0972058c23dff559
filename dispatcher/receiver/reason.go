package receiver

import (
	"errors"

	"github.com/tidings/tidings/dispatcher/sign"
)

// Why a seal does not hold. All but the first three are those of the package sign.
var (
	ErrNoKey       = errors.New("there is no key to verify with")
	ErrUnsealed    = errors.New("the request bears no seal")
	ErrWrongScheme = errors.New("the request is sealed by another scheme")

	ErrAltered       = sign.ErrAltered // the key is right, where the error says so
	ErrMissingHeader = sign.ErrMissingHeader
	ErrBadHeader     = sign.ErrBadHeader
	ErrTooOld        = sign.ErrTooOld
	ErrTooNew        = sign.ErrTooNew
	ErrNoMatch       = sign.ErrNoMatch // another key, or something altered: no signature can tell which
	ErrBadURL        = sign.ErrBadURL
)

// Reason is why a seal does not hold, as a word.
type Reason string

// The closed set; "" is a seal that holds.
const (
	ReasonNoKey         Reason = "no_key"
	ReasonUnsealed      Reason = "unsealed"
	ReasonWrongScheme   Reason = "wrong_scheme"
	ReasonMissingHeader Reason = "missing_header"
	ReasonBadHeader     Reason = "bad_header"
	ReasonTooOld        Reason = "too_old"
	ReasonTooNew        Reason = "too_new"
	ReasonAltered       Reason = "altered"
	ReasonNoMatch       Reason = "no_match"
	ReasonBadURL        Reason = "bad_url"
	ReasonBadKey        Reason = "bad_key"
)

var reasons = []struct {
	err    error
	reason Reason
}{
	{ErrNoKey, ReasonNoKey}, {ErrUnsealed, ReasonUnsealed}, {ErrWrongScheme, ReasonWrongScheme},
	{ErrMissingHeader, ReasonMissingHeader}, {ErrBadHeader, ReasonBadHeader}, {ErrTooOld, ReasonTooOld},
	{ErrTooNew, ReasonTooNew}, {ErrAltered, ReasonAltered}, {ErrNoMatch, ReasonNoMatch}, {ErrBadURL, ReasonBadURL},
}

// ReasonOf tells an error of Verify as a Reason.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return ReasonBadKey // all else is wrong before the request is looked at
}

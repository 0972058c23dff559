package receiver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Scheme is a way to seal.
type Scheme string

// The schemes, by the names that a notification's signing has.
const (
	StandardWebhooks      Scheme = "standard-webhooks"
	StandardWebhooksV1a   Scheme = "standard-webhooks-v1a"
	HTTPMessageSignatures Scheme = "http-message-signatures"
	FaTPay                Scheme = "fatpay"
)

// Schemes tells by which schemes a request is sealed, whether the seals hold or not. A webhook-signature without an entry
// that is known counts as StandardWebhooks.
func Schemes(header http.Header) (found []Scheme) {
	if list := header.Get("webhook-signature"); list != "" {
		for entry := range strings.FieldsSeq(list) {
			version, _, _ := strings.Cut(entry, ",")
			switch {
			case version == "v1" && !has(found, StandardWebhooks):
				found = append(found, StandardWebhooks)
			case version == "v1a" && !has(found, StandardWebhooksV1a):
				found = append(found, StandardWebhooksV1a)
			}
		}
		if len(found) == 0 {
			found = append(found, StandardWebhooks)
		}
	}
	for name := range header {
		if strings.HasPrefix(strings.ToLower(name), "x-fp-") {
			found = append(found, FaTPay)
			break
		}
	}
	if bearsHTTPSignature(header, len(found) > 0) {
		found = append(found, HTTPMessageSignatures)
	}
	return found
}

func has(schemes []Scheme, wanted ...Scheme) bool {
	return slices.ContainsFunc(wanted, func(s Scheme) bool { return slices.Contains(schemes, s) })
}

func (v Verifier) expected() string {
	var words []string
	if len(v.Secrets) > 0 {
		words = append(words, "webhook-signature with a v1 entry, or signature by hmac-sha256 (for "+count(len(v.Secrets), "secret")+")")
	}
	if len(v.PublicKeys) > 0 {
		words = append(words, "webhook-signature with a v1a entry, or signature by ed25519 (for "+count(len(v.PublicKeys), "public key")+")")
	}
	if len(v.FaTPayKeys) > 0 {
		words = append(words, "X-FP-Signature (for "+count(len(v.FaTPayKeys), "RSA key")+")")
	}
	return strings.Join(words, " or ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func (v Verifier) wrongScheme(found []Scheme) error {
	words := make([]string, len(found))
	for i, s := range found {
		words[i] = string(s)
	}
	return fmt.Errorf("%w: it bears %s, expected %s", ErrWrongScheme, strings.Join(words, " and "), v.expected())
}

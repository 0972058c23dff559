package dispatcher

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// SigningSecret is one secret (or private key) that a notification's requests are sealed with.
type SigningSecret struct {
	Secret Secret
	Until  time.Time // when it signs no more; zero: the current one
	// Mark tells by which request it came (a digest of its Idempotency-Key): repeated because its answer was lost, that
	// request finds its own secret and makes no other. "" when it bore no key.
	Mark string
}

// MaxSigningSecrets bounds the secrets that sign at the same time: each is one more entry in a header.
const MaxSigningSecrets = 5

// Why a secret cannot take the place of the current one.
var (
	ErrSameSecret     = errors.New("the secret is the current one already")
	ErrTooManySecrets = errors.New("too many secrets sign at the same time")
)

// CurrentSecret is what the notification is sealed with first; empty when it has no secret of its own.
func (n Notification) CurrentSecret() Secret {
	if len(n.Secrets) == 0 {
		return ""
	}
	return n.Secrets[0].Secret
}

// SecretsAt are those that sign at a time: the current one first, older ones after it while their time lasts.
func (n Notification) SecretsAt(at time.Time) (texts []string) {
	for _, s := range n.Secrets {
		if s.Until.IsZero() || s.Until.After(at) {
			texts = append(texts, s.Secret.Reveal())
		}
	}
	return texts
}

// KnowsSecret reports whether a secret is the current one, or was before a rotation that is still remembered.
func (n Notification) KnowsSecret(secret Secret) bool {
	return slices.ContainsFunc(n.Secrets, func(s SigningSecret) bool { return s.Secret == secret })
}

// Rotate puts a secret in the place of the current one, which signs beside it until the given time. Secrets whose time
// has passed are remembered while there is room, so that a registration sent again with one is known for what it is.
// Errors: ErrSameSecret, ErrTooManySecrets.
func (n Notification) Rotate(fresh SigningSecret, until, now time.Time) (Notification, error) {
	if n.CurrentSecret() == fresh.Secret {
		return n, ErrSameSecret
	}
	secrets := []SigningSecret{fresh}
	for i, s := range n.Secrets {
		if s.Secret == fresh.Secret { // an older one comes back
			continue
		}
		if i == 0 {
			s.Until = until
		}
		secrets = append(secrets, s)
	}
	n.Secrets = secrets
	if len(n.SecretsAt(now)) > MaxSigningSecrets {
		return n, ErrTooManySecrets
	}
	for i := len(n.Secrets) - 1; len(n.Secrets) > MaxSigningSecrets; i-- {
		if s := n.Secrets[i]; !s.Until.After(now) { // the oldest first; there is one, or too many would sign
			n.Secrets = slices.Delete(n.Secrets, i, i+1)
		}
	}
	return n, nil
}

// sameSecrets reports whether a registration asks for no other secret than the one that is registered: it brings none
// of its own, or one that is (or was) the registered one's.
func (n Notification) sameSecrets(registered Notification) bool {
	return len(n.Secrets) == 0 || registered.KnowsSecret(n.CurrentSecret())
}

// HasKeyPair reports whether requests are signed with an ed25519 key pair, of which receivers need only the public half;
// else with a secret that they share.
func (n Notification) HasKeyPair() bool {
	switch n.Signing {
	case SigningStandardWebhooksV1a:
		return true
	case SigningHTTPMessageSignatures:
		return strings.HasPrefix(n.CurrentSecret().Reveal(), "whsk_")
	}
	return false
}

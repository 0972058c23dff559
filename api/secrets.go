package api

import (
	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/scope"
)

// generatedSecret is told once, in the answer to the request that made Tidings generate it.
type generatedSecret struct {
	NotificationID string `json:"notificationId"`
	Scheme         string `json:"scheme"`
	Secret         string `json:"secret"`
}

// keepSecrets gives a notification the secrets of the one that it replaces, unless it brings another one: "******" and
// none stand for what is registered, and so does one that was rotated out (a registration is often sent as it first was).
func keepSecrets(n, old dispatcher.Notification, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	given := n.CurrentSecret()
	redacted := given.Reveal() == dispatcher.Redacted
	switch {
	case n.Signing == "":
		n.Secrets = nil
	case n.Signing != old.Signing || redacted && len(old.Secrets) == 0:
		if redacted {
			return n, scope.Faults{{Pointer: at.Child("signing").Child("secret").String(),
				Detail: "is redacted, and no secret is registered that it could stand for"}}
		}
	case given == "", redacted, old.KnowsSecret(given):
		n.Secrets = old.Secrets
	}
	return n, nil
}

// needsSecret reports whether a notification is to be signed with a secret of its own, and has none.
func needsSecret(n dispatcher.Notification) bool {
	return n.Signing != "" && n.Signing != dispatcher.SigningStandardWebhooksV1a && len(n.Secrets) == 0
}

// withSecret generates the secret of a notification that needs one and has none. A v1a one without a key is sealed with
// the merchant's.
func withSecret(n dispatcher.Notification, mark string) (_ dispatcher.Notification, generated bool) {
	if !needsSecret(n) {
		return n, false
	}
	n.Secrets = []dispatcher.SigningSecret{{Secret: dispatcher.Secret(sign.GenerateSecret()), Mark: mark}}
	return n, true
}

// markOf tells a request that bears an Idempotency-Key from every other; "" for one without. What it generates bears the
// mark: when its process dies before the answer is kept, the request that comes again is shown what the first one made.
func (s *Server) markOf(c *gin.Context, body string) string {
	key := c.GetHeader(idempotencyHeader)
	if key == "" {
		return ""
	}
	return digest(s.holder(c), c.Request.Method, c.Request.URL.Path, key, body)
}

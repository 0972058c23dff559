package api

import (
	"strings"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/scope"
)

type signingInput struct {
	Scheme string `json:"scheme" validate:"required,oneof=standard-webhooks standard-webhooks-v1a http-message-signatures none"`
	Secret string `json:"secret"`
	// Read-only: accepted so that what was read can be written back.
	PublicKey scope.Value `json:"publicKey"`
}

// keyChecks refuse what the schemes cannot sign with; a scheme without one takes no secret.
var keyChecks = map[string]func(string) error{
	dispatcher.SigningStandardWebhooks: sign.CheckSecret, dispatcher.SigningStandardWebhooksV1a: sign.CheckKeyV1a,
	dispatcher.SigningHTTPMessageSignatures: sign.CheckHTTPMessageKey,
}

func readSigning(in *signingInput, n *dispatcher.Notification, at scope.Pointer) scope.Faults {
	if in == nil {
		return nil
	}
	pointer := at.Child("secret").String()
	check := keyChecks[in.Scheme]
	if check == nil {
		if in.Secret != "" {
			return scope.Faults{{Pointer: pointer, Detail: "the scheme takes no secret"}}
		}
		return nil
	}
	n.Signing = in.Scheme
	if n.Format == dispatcher.FormatFaTPay {
		return scope.Faults{{Pointer: at.String(), Detail: "the format fatpay has a seal of its own"}}
	}
	var faults scope.Faults
	if in.Scheme == dispatcher.SigningHTTPMessageSignatures && n.URL != "" && !strings.Contains(n.URL, "{") {
		if err := sign.CheckHTTPMessageURL(n.URL); err != nil {
			faults = append(faults, scope.Fault{Pointer: at.Child("scheme").String(), Detail: err.Error()})
		}
	}
	if in.Secret == "" {
		return faults // stands for what is registered, or a fresh one
	}
	n.Secrets = []dispatcher.SigningSecret{{Secret: dispatcher.Secret(in.Secret)}}
	if in.Secret == dispatcher.Redacted {
		return faults // stands for the secret that is registered
	}
	if err := check(in.Secret); err != nil {
		faults = append(faults, scope.Fault{Pointer: pointer, Detail: err.Error()})
	}
	return faults
}

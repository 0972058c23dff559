package queue

import (
	"context"
	"crypto/rsa"
	"net/http"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store"
)

// RSAKeyKind names a merchant's RSA key, with which the fatpay format is sealed.
const RSAKeyKind = "rsa"

// MerchantRSAKey returns the merchant's RSA key, made on first use.
func MerchantRSAKey(ctx context.Context, st *store.Store, merchant string) (*rsa.PrivateKey, error) {
	text, err := st.SigningKey(ctx, merchant, RSAKeyKind, func() ([]byte, error) { return sign.RSAKeyPEM(sign.GenerateRSAKey()) })
	if err != nil {
		return nil, err
	}
	return sign.ParseRSAKeyPEM(text)
}

// Ed25519KeyKind names a merchant's ed25519 key, with which standard-webhooks-v1a is sealed where a notification brings
// no key of its own.
const Ed25519KeyKind = "ed25519"

// MerchantKeyV1a returns the merchant's ed25519 key as whsk_, made on first use.
func MerchantKeyV1a(ctx context.Context, st *store.Store, merchant string) (string, error) {
	key, err := st.SigningKey(ctx, merchant, Ed25519KeyKind, func() ([]byte, error) {
		secret, _ := sign.GenerateKeyV1a()
		return []byte(secret), nil
	})
	return string(key), err
}

// seal returns the headers that seal a request. An obstacle says why it cannot be sealed; an error that we could not look.
func (t *attempt) seal(ctx context.Context, m *sign.Message) (http.Header, obstacle, error) {
	n := t.n
	var signer sign.Signer
	var err error
	switch n.Scheme() {
	case dispatcher.SigningStandardWebhooks:
		signer, err = sign.NewStandardWebhooks(n.SecretsAt(m.Timestamp)...)
	case dispatcher.SigningStandardWebhooksV1a:
		keys := n.SecretsAt(m.Timestamp)
		if len(keys) == 0 {
			own, err := MerchantKeyV1a(ctx, t.store, t.h.Merchant)
			if err != nil {
				return nil, obstacle{}, err
			}
			keys = []string{own}
		}
		signer, err = sign.NewStandardWebhooksV1a(keys...)
	case dispatcher.SigningHTTPMessageSignatures:
		signer, err = sign.NewHTTPMessageSignatures(n.SecretsAt(m.Timestamp)...)
	case dispatcher.SigningFaTPay:
		key, err := MerchantRSAKey(ctx, t.store, t.h.Merchant)
		if err != nil {
			return nil, obstacle{}, err
		}
		partner, _ := t.h.Options.Member("partnerId").Text()
		version, _ := t.h.Options.Member("versionHeader").Bool()
		signer, err = sign.NewFaTPay(sign.FaTPay{PartnerID: partner, Key: key, VersionHeader: version})
		if err != nil {
			return nil, unsealable(n, err), nil
		}
	default:
		return nil, obstacle{}, nil
	}
	if err != nil {
		return nil, unsealable(n, err), nil
	}
	header, err := signer.Sign(*m)
	if err != nil {
		return nil, unsealable(n, err), nil
	}
	return header, obstacle{}, nil
}

// unsealable keeps the text of a FaTPay fault to itself: it may name a parameter, and a bare token is its own name.
func unsealable(n *dispatcher.Notification, err error) obstacle {
	if n.Scheme() == dispatcher.SigningFaTPay {
		return obstacle{dispatcher.ReasonUnrenderable, "the URL or the options do not fit what FaTPay's signature covers"}
	}
	return obstacle{dispatcher.ReasonUnrenderable, err.Error()}
}

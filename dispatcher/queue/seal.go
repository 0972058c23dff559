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

// seal returns the headers that seal a request. A reason says that it cannot be sealed; an error that we could not look.
func (d *Deliverer) seal(ctx context.Context, del dispatcher.Delivery, n dispatcher.Notification, m sign.Message) (http.Header, dispatcher.Reason, error) {
	var signer sign.Signer
	var err error
	switch n.Scheme() {
	case dispatcher.SigningStandardWebhooks:
		signer, err = sign.NewStandardWebhooks(n.SigningSecret.Reveal())
	case dispatcher.SigningStandardWebhooksV1a:
		signer, err = sign.NewStandardWebhooksV1a(n.SigningSecret.Reveal())
	case dispatcher.SigningHTTPMessageSignatures:
		signer, err = sign.NewHTTPMessageSignatures(n.SigningSecret.Reveal())
	case dispatcher.SigningFaTPay:
		key, err := MerchantRSAKey(ctx, d.store, del.Merchant)
		if err != nil {
			return nil, "", err
		}
		partner, _ := del.Options.Member("partnerId").Text()
		version, _ := del.Options.Member("versionHeader").Bool()
		signer, err = sign.NewFaTPay(sign.FaTPay{PartnerID: partner, Key: key, VersionHeader: version})
		if err != nil {
			return nil, dispatcher.ReasonUnrenderable, nil
		}
	default:
		return nil, "", nil
	}
	if err != nil {
		return nil, dispatcher.ReasonUnrenderable, nil
	}
	header, err := signer.Sign(m)
	if err != nil {
		return nil, dispatcher.ReasonUnrenderable, nil
	}
	return header, "", nil
}

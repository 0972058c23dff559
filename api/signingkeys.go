package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
)

// signingKeysAnswer is a JWK Set (RFC 7517 §5), and the same keys as PEM.
type signingKeysAnswer struct {
	Keys []sign.JWK        `json:"keys"`
	PEM  map[string]string `json:"pem"` // by kid
}

// getSigningKeys tells with which public keys a merchant's requests are to be verified.
func (s *Server) getSigningKeys(c *gin.Context) {
	answer := signingKeysAnswer{PEM: map[string]string{}}
	for _, read := range []func(context.Context, string) (any, error){s.publicRSA, s.publicEd25519} {
		public, err := read(c.Request.Context(), merchantOf(c))
		if err == nil {
			err = answer.add(public)
		}
		if err != nil {
			s.fail(c, err)
			return
		}
	}
	c.PureJSON(http.StatusOK, answer)
}

func (s *Server) publicRSA(ctx context.Context, merchant string) (any, error) {
	key, err := queue.MerchantRSAKey(ctx, s.store, merchant)
	if err != nil {
		return nil, err
	}
	return &key.PublicKey, nil
}

func (s *Server) publicEd25519(ctx context.Context, merchant string) (any, error) {
	key, err := queue.MerchantKeyV1a(ctx, s.store, merchant)
	if err != nil {
		return nil, err
	}
	public, err := sign.PublicKeyV1a(key)
	if err != nil {
		return nil, err
	}
	return sign.ParsePublicKeyV1a(public)
}

func (a *signingKeysAnswer) add(public any) error {
	jwk, err := sign.PublicJWK(public, "")
	if err != nil {
		return err
	}
	pem, err := sign.PublicPEM(public)
	if err != nil {
		return err
	}
	a.Keys, a.PEM[jwk.Kid] = append(a.Keys, jwk), string(pem)
	return nil
}

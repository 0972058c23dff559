package api

import (
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
	key, err := queue.MerchantRSAKey(c.Request.Context(), s.store, merchantOf(c))
	if err != nil {
		s.fail(c, err)
		return
	}
	jwk, err := sign.PublicJWK(&key.PublicKey, "")
	if err != nil {
		s.fail(c, err)
		return
	}
	pem, err := sign.PublicPEM(&key.PublicKey)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, signingKeysAnswer{Keys: []sign.JWK{jwk}, PEM: map[string]string{jwk.Kid: string(pem)}})
}

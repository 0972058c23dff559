package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Role says what a token may do.
type Role string

const (
	RoleAdapter  Role = "adapter"  // writes and reads
	RoleMerchant Role = "merchant" // reads and retries
	RoleAdmin    Role = "admin"    // everything, the operators' pages too
)

// Token is a credential as it is kept: its SHA-256, whom it speaks for and what it may do.
type Token struct {
	Name      string
	Hash      [sha256.Size]byte
	Merchants []string // "*" for every merchant
	Role      Role
}

func (t Token) speaksFor(merchant string) bool {
	return slices.Contains(t.Merchants, "*") || slices.Contains(t.Merchants, merchant)
}

// only returns the merchant of a token that speaks for a single one; "" otherwise.
func (t Token) only() string {
	if len(t.Merchants) == 1 && t.Merchants[0] != "*" {
		return t.Merchants[0]
	}
	return ""
}

// tokenFor finds the token of a secret. Every token is compared, each in constant time.
func (s *Server) tokenFor(secret string) (found Token, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, t := range s.tokens {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

const (
	merchantKey   = "the token's merchant" // no route has such a parameter
	challenge     = `Bearer realm="tidings"`
	pageChallenge = `Basic realm="tidings: any name, an admin token as password", charset="UTF-8"`
)

// allow lets a request pass whose token has one of the roles and speaks for the merchant that it names.
func (s *Server) allow(roles ...Role) gin.HandlerFunc {
	return func(c *gin.Context) {
		token, ok := s.authenticate(c, challenge, "A valid token is needed: Authorization: Bearer <token>.")
		if !ok {
			return
		}
		merchant := c.Param("merchant") // Norce's alias names the merchant in its path
		if merchant == "" {
			merchant = c.GetHeader("X-Merchant")
		}
		if merchant == "" && strings.HasPrefix(c.FullPath(), "/fbpi/") {
			merchant = token.only() // an FBPI receiver knows no such header
		}
		switch {
		case token.Role != RoleAdmin && !slices.Contains(roles, token.Role):
			writeProblem(c, problem(http.StatusForbidden, "role_forbidden", "The token's role does not allow this."))
		case merchant == "":
			writeProblem(c, problem(http.StatusBadRequest, "merchant_missing", "The header X-Merchant is missing."))
		case len(c.Request.Header["X-Merchant"]) > 1: // whoever added the second did not mean the first
			writeProblem(c, problem(http.StatusBadRequest, "merchant_invalid", "The header X-Merchant is there more than once."))
		case !merchantIDShape.matches(merchant):
			writeProblem(c, problem(http.StatusBadRequest, "merchant_invalid",
				"The header X-Merchant must be 1 to 64 characters of A-Z a-z 0-9 . _ -"))
		case !token.speaksFor(merchant):
			writeProblem(c, problem(http.StatusForbidden, "merchant_forbidden", "The token does not speak for this merchant."))
		default:
			c.Params = append(c.Params, gin.Param{Key: merchantKey, Value: merchant}) // Set would make a map for it
		}
	}
}

// allowAdmin lets admins pass to what concerns all merchants.
func (s *Server) allowAdmin(c *gin.Context) {
	if token, ok := s.authenticate(c, challenge, "An admin token is needed: Authorization: Bearer <token>."); ok && token.Role != RoleAdmin {
		writeProblem(c, problem(http.StatusForbidden, "role_forbidden", "An admin token is needed."))
	}
}

// allowOperator lets admins pass to pages, which have no merchant. A browser may send the token as the password of
// Basic authentication, since it cannot be told to send a Bearer token.
func (s *Server) allowOperator(c *gin.Context) {
	if _, password, ok := c.Request.BasicAuth(); ok {
		c.Request.Header.Set("Authorization", "Bearer "+password)
	}
	token, ok := s.authenticate(c, pageChallenge, "An admin token is needed.")
	if ok && token.Role != RoleAdmin {
		writeProblem(c, problem(http.StatusForbidden, "role_forbidden", "The token's role does not allow this."))
	}
}

// authenticate finds the token of a request, within the limits; false means that the request has been answered.
func (s *Server) authenticate(c *gin.Context, challenge, needed string) (Token, bool) {
	token, ok, wait := s.identify(c)
	switch {
	case wait > 0:
		writeProblem(c, rateLimited("Too many wrong tokens came from this address.", wait))
		return token, false
	case !ok:
		c.Header("WWW-Authenticate", challenge)
		writeProblem(c, problem(http.StatusUnauthorized, "unauthorized", needed))
		return token, false
	}
	return token, s.withinRate(c, token)
}

// identify finds the token of a request; ok says nothing when the address must wait.
func (s *Server) identify(c *gin.Context) (token Token, ok bool, wait time.Duration) {
	secret := bearer(c)
	token, ok = s.tokenFor(secret)
	if secret == "" {
		return token, ok, 0
	}
	wait, begun := s.guesses.judge(clientAddr(c), token, ok, s.now())
	if begun {
		s.log.WarnContext(c.Request.Context(), "auth.wrong_tokens", "address", c.ClientIP())
	}
	return token, ok, wait
}

func bearer(c *gin.Context) string {
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

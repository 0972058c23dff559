package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/store"
)

const idempotencyHeader = "Idempotency-Key"

// answerHeaders are replayed with the answer.
var answerHeaders = []string{"Content-Type", "Location", "ETag"}

// idempotent replays the first answer to a POST with the same Idempotency-Key and body for 24 h. Answers of 5xx, and
// those that say when to try again, are not kept.
func (s *Server) idempotent(c *gin.Context) {
	key := c.GetHeader(idempotencyHeader)
	if key == "" {
		return
	}
	if len(key) > 255 || bytes.ContainsFunc([]byte(key), func(r rune) bool { return r < '!' || r > '~' }) {
		writeProblem(c, problem(http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key must be 1 to 255 visible ASCII characters."))
		return
	}
	body, err := readBody(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	merchant := merchantOf(c)
	name := digest(s.holder(c), c.Request.Method, c.Request.URL.Path, key)
	fingerprint := digest(string(body), c.GetHeader("X-Channel"))
	earlier, err := s.store.BeginAnswer(c.Request.Context(), merchant, name, fingerprint)
	switch {
	case err != nil:
		s.fail(c, err)
	case earlier != nil:
		replay(c, *earlier, fingerprint)
	default:
		s.keepAnswer(c, merchant, name, fingerprint)
	}
}

// holder tells who holds the token of a request from every other: an answer may tell a secret, and is for who asked. A name
// outlives the rotation of its token.
func (s *Server) holder(c *gin.Context) string {
	token, _ := s.tokenFor(bearer(c))
	if token.Name != "" {
		return "name " + token.Name
	}
	return "secret " + digest(bearer(c))
}

func replay(c *gin.Context, earlier store.Answer, fingerprint string) {
	switch {
	case earlier.Fingerprint != fingerprint:
		writeProblem(c, problem(http.StatusUnprocessableEntity, "idempotency_key_reused", "The Idempotency-Key was used with another request."))
	case earlier.Pending():
		p := problem(http.StatusConflict, "idempotency_key_in_use", "The first request with this Idempotency-Key is not answered yet.")
		p.retryAfter = 1
		writeProblem(c, p)
	default:
		for name, value := range earlier.Header {
			c.Header(name, value)
		}
		c.Header("Idempotency-Replayed", "true")
		c.Abort()
		c.Data(earlier.Status, earlier.Header["Content-Type"], earlier.Body)
	}
}

func (s *Server) keepAnswer(c *gin.Context, merchant, name, fingerprint string) {
	w := &recorder{ResponseWriter: c.Writer}
	c.Writer = w
	ctx := context.WithoutCancel(c.Request.Context()) // what was done is kept, though the client may have hung up
	kept := false
	defer func() { // after a panic, too
		if !kept {
			s.logIdempotency(c, s.store.DropAnswer(ctx, merchant, name))
		}
	}()
	c.Next()
	if w.Status() >= 500 || w.Header().Get("Retry-After") != "" || !w.Written() {
		return
	}
	answer := store.Answer{Fingerprint: fingerprint, Status: w.Status(), Body: w.body.Bytes(), Header: map[string]string{}}
	for _, header := range answerHeaders {
		if value := w.Header().Get(header); value != "" {
			answer.Header[header] = value
		}
	}
	kept = true
	s.logIdempotency(c, s.store.KeepAnswer(ctx, merchant, name, answer))
}

func (s *Server) logIdempotency(c *gin.Context, err error) {
	if err != nil {
		s.log.WarnContext(c.Request.Context(), "idempotency.keep_failed", "route", c.FullPath(), "error", err)
	}
}

// recorder keeps a copy of what is answered.
type recorder struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

func (r *recorder) WriteString(text string) (int, error) {
	r.body.WriteString(text)
	return r.ResponseWriter.WriteString(text)
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/store"
)

// Health says whether this process can do its work.
type Health struct {
	store    *store.Store
	known    []string
	stopping atomic.Bool
}

// NewHealth watches a store. Warnings that are known need not be looked up in it.
func NewHealth(st *store.Store, known ...string) *Health { return &Health{store: st, known: known} }

// Stopping makes the process not ready, so that balancers send nothing more to it.
func (h *Health) Stopping() { h.stopping.Store(true) }

type healthAnswer struct {
	Status   string   `json:"status"` // ready | unavailable | stopping
	Warnings []string `json:"warnings,omitempty"`
}

// Check asks the store.
func (h *Health) Check(ctx context.Context) (healthAnswer, bool) {
	if h.stopping.Load() {
		return healthAnswer{Status: "stopping"}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := h.store.Ping(ctx); err != nil {
		return healthAnswer{Status: "unavailable", Warnings: []string{"the store does not answer"}}, false
	}
	return healthAnswer{Status: "ready", Warnings: h.Warnings(ctx)}, true
}

// Warnings tells what works and yet puts promises at risk.
func (h *Health) Warnings(ctx context.Context) []string {
	if len(h.known) > 0 {
		return h.known
	}
	warnings, err := h.store.Warnings(ctx)
	if err != nil {
		return []string{"the store's persistence and eviction could not be looked up"}
	}
	return warnings
}

// live says only that the process answers.
func (s *Server) live(c *gin.Context) { c.PureJSON(http.StatusOK, gin.H{"status": "live"}) }

func (s *Server) ready(c *gin.Context) {
	answer, ok := s.health.Check(c.Request.Context())
	if token, known, wait := s.identify(c); !known || wait > 0 || token.Role != RoleAdmin {
		answer.Warnings = nil // strangers learn whether, not why; and whoever guesses learns nothing
	}
	if !ok {
		c.Header("Retry-After", "1")
		c.PureJSON(http.StatusServiceUnavailable, answer)
		return
	}
	c.PureJSON(http.StatusOK, answer)
}

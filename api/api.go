package api

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// MaxBodyBytes bounds every request body.
const MaxBodyBytes = 1 << 20

// requestTimeout bounds the work on one request; it is answered 503 then.
const requestTimeout = 20 * time.Second

// Config of a Server. Without a comment: needed.
type Config struct {
	Store    *store.Store
	Producer *queue.Producer
	Outbound *outbound.Client // judges URLs when they are registered
	Tokens   []Token
	Limits   Limits // default: none
	// TrustedProxies say in X-Forwarded-For whom they speak for; nobody else is believed.
	TrustedProxies []netip.Prefix
	Health         *Health
	Registry       *prometheus.Registry
	Monitoring     http.Handler // Asynqmon; nil: not mounted
	// TestWait is how long a test of a notification waits for its Event; default DefaultTestWait.
	TestWait time.Duration
	// OperationsOnly leaves out the API proper: a worker answers only health and metrics.
	OperationsOnly bool
	Log            *slog.Logger
	Now            func() time.Time // default time.Now
}

// Server answers the HTTP API.
type Server struct {
	store    *store.Store
	producer *queue.Producer
	outbound *outbound.Client
	tokens   []Token
	rates    map[[sha256.Size]byte]*rate.Limiter // by the token's hash
	guesses  *guesses
	health   *Health
	log      *slog.Logger
	now      func() time.Time
	testWait time.Duration
	requests *prometheus.HistogramVec
}

// New returns the handler of the whole API.
func New(cfg Config) http.Handler {
	s := &Server{
		store: cfg.Store, producer: cfg.Producer, outbound: cfg.Outbound, tokens: cfg.Tokens, health: cfg.Health,
		log: cfg.Log, now: cfg.Now, rates: cfg.Limits.perToken(cfg.Tokens), guesses: newGuesses(cfg.Limits), testWait: cfg.TestWait,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_http_request_seconds", Help: "Requests to the API by route and status.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10),
		}, []string{"method", "route", "status"}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.testWait <= 0 {
		s.testWait = DefaultTestWait
	}
	cfg.Registry.MustRegister(s.requests)

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	trustOnly(r, cfg.TrustedProxies)
	r.UseRawPath, r.UnescapePathValues = true, true
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.NoRoute(func(c *gin.Context) {
		writeProblem(c, problem(http.StatusNotFound, "no_route", "There is no such route; see /openapi.yaml."))
	})
	r.NoMethod(func(c *gin.Context) {
		writeProblem(c, problem(http.StatusMethodNotAllowed, "method_not_allowed", "The route does not know this method; see /openapi.yaml."))
	})
	r.Use(s.observe, s.recover, limit)
	r.GET("/health/live", s.live)
	r.GET("/health/ready", s.ready)
	if !cfg.OperationsOnly {
		s.routes(r)
	}
	r.GET("/metrics", s.allowOperator, gin.WrapH(promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // a store that does not answer must not hide the other metrics
	})))
	if cfg.Monitoring != nil {
		r.Any("/monitoring/*any", s.allowOperator, protectPage, gin.WrapH(cfg.Monitoring))
		r.GET("/", entrance)
		r.GET("/monitoring", func(c *gin.Context) { c.Redirect(http.StatusMovedPermanently, "/monitoring/") })
	}
	return r
}

// routes of the API; openapi.yaml describes each, and a test compares the two.
func (s *Server) routes(r *gin.Engine) {
	read := s.allow(RoleAdapter, RoleMerchant)
	write := s.allow(RoleAdapter)
	retry := s.allow(RoleAdapter, RoleMerchant)

	r.GET("/openapi.yaml", openAPI)

	v0 := r.Group("/api/v0/checkout")
	v0.PUT("/orders/:orderId", write, s.putOrder)
	v0.PATCH("/orders/:orderId", write, s.patchOrder)
	v0.GET("/orders/:orderId", read, s.getOrder)
	v0.DELETE("/orders/:orderId", write, s.deleteOrder)

	v0.POST("/orders/:orderId/notifications", write, s.idempotent, s.postNotification)
	v0.GET("/orders/:orderId/notifications", read, s.listNotifications)
	v0.GET("/orders/:orderId/notifications/:id", read, s.getNotification)
	v0.PUT("/orders/:orderId/notifications/:id", write, s.putNotification)
	v0.DELETE("/orders/:orderId/notifications/:id", write, s.deleteNotification)

	v0.POST("/orders/:orderId/notifications/:id/rotate-secret", write, s.idempotent, s.rotateSecret)
	v0.POST("/orders/:orderId/notifications/:id/test", retry, s.idempotent, s.testNotification)

	v0.GET("/notifications/events", read, s.listEvents)
	v0.GET("/notifications/events/:eventId", read, s.getEvent)
	v0.POST("/notifications/events/:eventId/retry", retry, s.idempotent, s.retryEvent)
	v0.GET("/notifications/deliveries/:deliveryId", read, s.getDelivery)

	operator := s.allowAdmin
	v0.GET("/notifications/targets", operator, s.listTargets)
	v0.GET("/notifications/targets/:target", operator, s.getTarget)
	v0.PUT("/notifications/targets/:target", operator, s.putTarget)
	v0.POST("/notifications/targets/:target/resume", operator, s.resumeTarget)

	v0.GET("/signing-keys", read, s.getSigningKeys)

	v0.PUT("/configurations/:adapterId", write, s.putConfiguration)
	v0.GET("/configurations/:adapterId", read, s.getConfiguration)
	v0.DELETE("/configurations/:adapterId", write, s.deleteConfiguration)

	const norceConfiguration = "/api/v1/configuration/merchants/:merchant/channels/:channel/configurations/:adapterId"
	r.PUT(norceConfiguration, write, s.putConfiguration)
	r.GET(norceConfiguration, read, s.getConfiguration)
	r.DELETE(norceConfiguration, write, s.deleteConfiguration)

	r.GET("/fbpi/v1/fbpi-order/:orderId/get", read, s.getFBPIOrder)
	r.GET("/fbpi/v1/fbpi-order/:orderId/customer-details/get", read, s.getFBPICustomer)

	v1 := r.Group("/api/v1")
	v1.GET("/events", read, s.listNorceEvents)
	v1.GET("/events/:eventId", read, s.getNorceEvent)
	v1.POST("/events/:eventId/retry", retry, s.idempotent, s.retryEvent)
}

// limit bounds what a request may bring and how long it may take.
func limit(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, MaxBodyBytes)
	c.Next()
}

// What all answers share; who sets another value replaces the slice.
var noSniff, noStore = []string{"nosniff"}, []string{"no-store"}

// observe measures, and sets the headers that every answer has.
func (s *Server) observe(c *gin.Context) {
	began := time.Now()
	header := c.Writer.Header()
	header["X-Content-Type-Options"], header["Cache-Control"] = noSniff, noStore
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	s.requests.WithLabelValues(knownMethod(c.Request.Method), route, strconv.Itoa(c.Writer.Status())).Observe(time.Since(began).Seconds())
}

// knownMethod keeps invented methods from becoming metrics of their own.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// recover turns a panic into a 500; the process goes on, the panic is logged.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("request.panicked", "method", c.Request.Method, "route", c.FullPath(), "panic", r)
			writeProblem(c, problem(http.StatusInternalServerError, "internal", "Something went wrong here; it has been logged."))
		}
	}()
	c.Next()
}

func merchantOf(c *gin.Context) string { return c.Param(merchantKey) }

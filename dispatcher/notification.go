package dispatcher

import (
	"slices"
	"strings"
	"time"

	"github.com/tidings/tidings/scope"
)

// Ordering says how the deliveries of one lane follow one another.
type Ordering string

const (
	OrderingStrict Ordering = "strict" // the next only when the one before is terminal
	OrderingLatest Ordering = "latest" // as strict, but of those that wait only the newest is sent
	OrderingNone   Ordering = "none"   // at once, each for itself
)

// Signing schemes.
const (
	SigningNone             = "none"
	SigningStandardWebhooks = "standard-webhooks"
	// SigningStandardWebhooksV1a is asymmetric: ed25519, verified with a public key.
	SigningStandardWebhooksV1a = "standard-webhooks-v1a"
	// SigningHTTPMessageSignatures is RFC 9421, with a secret or a key of the other two.
	SigningHTTPMessageSignatures = "http-message-signatures"
	// SigningFaTPay is implied by the format fatpay, with the merchant's RSA key.
	SigningFaTPay = "fatpay"
)

// Formats of the body.
const FormatNorce = "norce"

// The other formats; dispatcher/wire has a file for each.
const (
	FormatFBPI        = "fbpi"
	FormatProbo       = "probo"
	FormatFaTPay      = "fatpay"
	FormatCloudEvents = "cloudevents"
	FormatThin        = "thin"
)

// Methods that a notification may call with.
var Methods = []string{"POST", "PUT", "PATCH"}

// Limits of a notification. Times are wall time.
const (
	DefaultTimeout      = 10 * time.Second
	MaxTimeout          = 30 * time.Second // one deadline for connect, send and the whole answer
	MaxNotifications    = 1000             // on one order
	MaxRegisteredBytes  = 1 << 20          // of all notifications of one order together; every change of it reads them
	MaxAttemptsLimit    = 50
	MaxScheduleDelay    = 72 * time.Hour
	MaxExpiresAfter     = 30 * 24 * time.Hour
	MaxHeaders          = 32
	MaxHeaderValueBytes = 4096
)

// Header is one header that a notification adds to its requests. The value is a secret: it may be a credential.
type Header struct {
	Name  string
	Value Secret
}

// Retry is a notification's own retry policy; zero values mean the default ladder.
type Retry struct {
	MaxAttempts int        `json:"maxAttempts,omitempty"` // the first attempt included
	Schedule    []Duration `json:"schedule,omitempty"`    // delays before attempt 2, 3, ...; the last one repeats
}

// Consent is what a target answered to a handshake (CloudEvents, HTTP 1.1 Web Hooks §4); zero while it was not asked.
type Consent struct {
	At time.Time
	To string // digest of who may send where: another origin or another endpoint has to be asked for
}

// Notification is a registration on an order: where to call, how, and for which scope.
type Notification struct {
	ID            string
	AdapterID     string // whose configuration {configuration...} refers to
	Reference     string // tracks one notification across orders
	Description   string
	URL           string // may hold placeholders, and secrets in its query
	SpelledInvoke bool   // registered in Norce's OpenAPI form: the URL is read back as "invoke"
	Version       string // Norce's "v0" | "v1", kept as given
	Method        string
	Headers       []Header // sorted by name
	Scope         scope.Scope
	ExcludeActors []string
	Format        string
	Options       scope.Value
	Signing       string
	Secrets       []SigningSecret // the current one first; none: those of the merchant, or no seal
	Handshake     bool            // the target is asked for its consent before the first delivery
	Consent       Consent         // what it answered
	Ordering      Ordering
	Retry         Retry
	Timeout       Duration
	ExpiresAfter  Duration // 0: never
	Created       time.Time
	Stopped       time.Time // when a 410 stopped it; zero while it lives
}

// Scheme is how requests are sealed: as the notification says, or as its format implies.
func (n Notification) Scheme() string {
	if n.Format == FormatFaTPay {
		return SigningFaTPay
	}
	return n.Signing
}

// Bytes is about how much room the notification takes.
func (n Notification) Bytes() int {
	rule, schema := n.Scope.JSON()
	size := len(n.ID) + len(n.AdapterID) + len(n.Reference) + len(n.Description) + len(n.URL) + rule.Size() +
		schema.Size() + n.Options.Size()
	for _, s := range n.Secrets {
		size += len(s.Secret.Reveal()) + len(s.Mark)
	}
	for _, h := range n.Headers {
		size += len(h.Name) + len(h.Value.Reveal())
	}
	for _, actor := range n.ExcludeActors {
		size += len(actor)
	}
	return size
}

// PublicNotification is what a receiver sees of the notifications of an order: no headers, no secrets, and the URL
// without the values of its query, which often hold a token.
type PublicNotification struct {
	ID          string      `json:"id"`
	AdapterID   string      `json:"adapterId,omitempty"`
	Reference   string      `json:"reference,omitempty"`
	Description string      `json:"description,omitempty"`
	Scope       scope.Value `json:"scope"`
	Schema      scope.Value `json:"schema,omitzero"`
	Invoke      string      `json:"invoke"`
	Version     string      `json:"version,omitempty"`
}

// Public returns what a receiver may see.
func (n Notification) Public() PublicNotification {
	rule, schema := n.Scope.JSON()
	return PublicNotification{
		ID: n.ID, AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description,
		Scope: rule, Schema: schema, Invoke: RedactURL(n.URL), Version: n.Version,
	}
}

// SameContent reports whether a registration says what o, which is registered, says already, their ids and times aside.
// One without a secret says nothing of it. What is dear to compare comes last.
func (n Notification) SameContent(o Notification) bool {
	if n.AdapterID != o.AdapterID || n.Reference != o.Reference || n.Description != o.Description ||
		n.URL != o.URL || n.SpelledInvoke != o.SpelledInvoke || n.Version != o.Version || n.Method != o.Method ||
		n.Format != o.Format || n.Signing != o.Signing || !n.sameSecrets(o) || n.Handshake != o.Handshake || n.Ordering != o.Ordering ||
		n.Retry.MaxAttempts != o.Retry.MaxAttempts || n.Timeout != o.Timeout || n.ExpiresAfter != o.ExpiresAfter {
		return false
	}
	rule, schema := n.Scope.JSON()
	otherRule, otherSchema := o.Scope.JSON()
	return slices.Equal(n.Retry.Schedule, o.Retry.Schedule) && slices.Equal(n.Headers, o.Headers) &&
		slices.Equal(n.ExcludeActors, o.ExcludeActors) && scope.Equal(rule, otherRule) && scope.Equal(schema, otherSchema) &&
		scope.Equal(n.Options, o.Options)
}

// RedactURL hides every value of the URL's query, where receivers take tokens, and any user name and password.
func RedactURL(raw string) string {
	base, query, has := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, _, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			base = scheme + "://" + Redacted + rest[at:]
		}
	}
	if !has {
		return base
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, ok := strings.Cut(pair, "="); ok {
			pairs[i] = name + "=" + Redacted
		} else if pair != "" {
			pairs[i] = Redacted // a bare token: ?s3cret
		}
	}
	return base + "?" + strings.Join(pairs, "&")
}

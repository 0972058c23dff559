package dispatcher

// Outcome says whether an attempt reached its goal.
type Outcome string

const (
	Delivered Outcome = "delivered" // the target answered 2xx
	Failed    Outcome = "failed"    // anything else; Reason says what
)

// Reason is why an attempt failed, or why a delivery was settled without one. The set is closed: it is a metric label
// and a query filter. The empty reason belongs to a delivered attempt.
type Reason string

const (
	// What the target answered.
	ReasonStatus4xx Reason = "status_4xx" // a 4xx that is not named below
	ReasonStatus5xx Reason = "status_5xx"
	ReasonStatus    Reason = "status_other" // an answer outside 2xx..5xx
	ReasonRedirect  Reason = "redirect"     // 3xx; redirects are not followed
	ReasonGone      Reason = "gone"         // 410; stops the notification
	ReasonAborted   Reason = "aborted"      // response header "webhook-delivery: abort"

	// What the network did.
	ReasonTimeout  Reason = "timeout" // the one deadline for connect, send and the whole answer passed
	ReasonDNS      Reason = "dns"
	ReasonConnect  Reason = "connect"
	ReasonTLS      Reason = "tls"
	ReasonReset    Reason = "reset"    // the connection broke after it stood
	ReasonProtocol Reason = "protocol" // what came back was not HTTP, or broke its limits

	// What the target did not allow.
	ReasonHandshakeRefused Reason = "handshake_refused" // it answered OPTIONS without its consent; the body was not sent

	// What Tidings refused to send.
	ReasonBlockedAddress Reason = "blocked_address" // the outbound guard refused the resolved address
	ReasonBadURL         Reason = "bad_url"         // the resolved URL is not one that may be called
	ReasonUnresolved     Reason = "unresolved_placeholder"
	ReasonTooLarge       Reason = "too_large"    // the rendered body exceeds the limit
	ReasonUnrenderable   Reason = "unrenderable" // the order lacks what the format needs
	ReasonPayloadGone    Reason = "payload_gone" // the snapshot was erased or has left by retention
	ReasonInterrupted    Reason = "interrupted"  // the worker died between sending and recording

	// Settled without an attempt.
	ReasonExpired    Reason = "expired"    // expiresAfter passed
	ReasonCancelled  Reason = "cancelled"  // the notification or the order was removed
	ReasonStopped    Reason = "stopped"    // the notification was stopped by a 410
	ReasonSuperseded Reason = "superseded" // ordering "latest": a newer change took its place
)

// Reasons lists the closed set, in the order of the work.
var Reasons = []Reason{
	ReasonStatus4xx, ReasonStatus5xx, ReasonStatus, ReasonRedirect, ReasonGone, ReasonAborted,
	ReasonTimeout, ReasonDNS, ReasonConnect, ReasonTLS, ReasonReset, ReasonProtocol,
	ReasonHandshakeRefused, ReasonBlockedAddress, ReasonBadURL, ReasonUnresolved, ReasonTooLarge, ReasonUnrenderable, ReasonPayloadGone,
	ReasonInterrupted, ReasonExpired, ReasonCancelled, ReasonStopped, ReasonSuperseded,
}

// Sent says whether the request left this machine, as far as the sender can know.
type Sent string

const (
	SentNo      Sent = "no"      // not one byte of the request was written
	SentYes     Sent = "yes"     // an answer was seen
	SentUnknown Sent = "unknown" // it went out, at least in part, and no answer was seen
)

package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// A notification may ask for a handshake before its first delivery, so that nobody is sent what he did not ask for:
//
//	OPTIONS <url>                         2xx
//	WebHook-Request-Origin: <origin>      WebHook-Allowed-Origin: <origin> or *
//
// WebHook-Allowed-Rate is read past, and there is no consent later by WebHook-Request-Callback: a target that will allow
// later is asked again by the retries.
//
// Spec: CloudEvents, HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
const (
	headerRequestOrigin = "Webhook-Request-Origin"
	headerAllowedOrigin = "Webhook-Allowed-Origin"

	// DefaultOrigin is what targets are asked to allow.
	DefaultOrigin = "tidings"
	// consentTime bounds the noting of a consent, which must not keep the delivery: what is not noted is asked again.
	consentTime = 2 * time.Second
)

// handshake asks the target, unless it has allowed us before. A verdict with a reason says that nothing is to be sent; the
// attempt then tells of the OPTIONS. The time that it took is taken from the request's.
func (t *attempt) handshake(ctx context.Context, request *outbound.Request) dispatcher.Verdict {
	n, a := t.n, &t.told
	to := consentTo(t.origin, request.URL)
	if n.Consent.To == to {
		return dispatcher.Verdict{}
	}
	options := outbound.Request{Method: http.MethodOptions, URL: request.URL, Timeout: request.Timeout, Header: http.Header{}}
	for _, h := range n.Headers { // they may be the credentials that the target wants
		options.Header.Set(h.Name, h.Value.Reveal())
	}
	options.Header.Set("User-Agent", t.agent)
	options.Header.Set(headerRequestOrigin, t.origin)
	answer := t.out.Do(ctx, options)
	request.Timeout -= answer.Duration
	verdict, detail := t.judgeHandshake(answer, request)
	if verdict.Reason != "" {
		a.Method, a.URL, a.Detail = http.MethodOptions, dispatcher.RedactURL(request.URL), detail
		a.StatusCode, a.Truncated = answer.StatusCode, answer.Truncated
		a.Header, a.Body = scrub(n, request.URL, answer)
		a.Duration, a.RemoteAddress = answer.Duration, answer.RemoteAddress
		return verdict
	}
	keep, cancel := context.WithTimeout(ctx, consentTime)
	defer cancel()
	// A crash before this is done, or here, only repeats the OPTIONS.
	if err := t.store.KeepConsent(keep, t.h.Ref(), *n, dispatcher.Consent{At: t.now(), To: to}); err != nil {
		t.log.WarnContext(ctx, "notification.consent_not_kept", "notification", n.ID, "error", err, "then", "asked again")
	}
	return dispatcher.Verdict{}
}

func (d *Deliverer) judgeHandshake(answer outbound.Answer, request *outbound.Request) (dispatcher.Verdict, string) {
	allowed := strings.TrimSpace(answer.Header.Get(headerAllowedOrigin))
	detail := ""
	switch {
	case answer.Reason != "":
		detail = d.explainURL(answer.Reason, request.URL)
		if detail == "" {
			detail = "of the handshake (OPTIONS); nothing was sent"
		}
		return dispatcher.JudgeFault(answer.Reason), detail
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		detail = fmt.Sprintf("OPTIONS was answered %d; a 2xx with WebHook-Allowed-Origin is needed", answer.StatusCode)
	case allowed == "":
		detail = "OPTIONS was answered without WebHook-Allowed-Origin"
	case allowed != "*" && !strings.EqualFold(allowed, d.origin):
		detail = "OPTIONS was answered with a WebHook-Allowed-Origin other than " + d.origin
	case request.Timeout <= 0:
		return dispatcher.JudgeFault(dispatcher.ReasonTimeout), "of the handshake (OPTIONS); nothing was sent"
	default:
		return dispatcher.Verdict{}, ""
	}
	verdict := dispatcher.JudgeFault(dispatcher.ReasonHandshakeRefused)
	verdict.RetryAfter, _ = dispatcher.ParseRetryAfter(answer.Header.Get("Retry-After"), d.now())
	return verdict, detail
}

// consentTo names who may send where, without the query, which may hold a token.
func consentTo(origin, target string) string {
	base, _, _ := strings.Cut(target, "?")
	sum := sha256.Sum256([]byte(origin + "\x00" + base))
	return hex.EncodeToString(sum[:16])
}

// explainURL says what is wrong with a resolved URL; the texts hold nothing of it.
func (d *Deliverer) explainURL(reason dispatcher.Reason, target string) string {
	if reason != dispatcher.ReasonBadURL && reason != dispatcher.ReasonBlockedAddress {
		return ""
	}
	if err := d.out.CheckURL(target); err != nil {
		return dispatcher.Explain(err.Error())
	}
	return ""
}

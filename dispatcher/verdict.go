package dispatcher

import (
	"net/http"
	"strings"
	"time"
)

// Ladder says how a failed attempt is followed.
type Ladder uint8

const (
	LadderNone  Ladder = iota // given up at once
	LadderShort               // at most ShortLadderAttempts: the target says that it will not take this
	LadderFull                // the whole schedule: trouble that passes
)

// Verdict is the judgement over one attempt.
type Verdict struct {
	Outcome          Outcome
	Reason           Reason
	Ladder           Ladder
	StopNotification bool          // 410: the target wants no more of this notification
	RetryAfter       time.Duration // what the target asked for; delays the next attempt, never shortens
}

// JudgeAnswer judges an attempt that was answered. Success is a 2xx and nothing else.
func JudgeAnswer(status int, header http.Header, now time.Time) Verdict {
	v := Verdict{Outcome: Failed, Ladder: LadderShort}
	switch {
	case status >= 200 && status <= 299:
		return Verdict{Outcome: Delivered}
	case status == http.StatusGone:
		return Verdict{Outcome: Failed, Reason: ReasonGone, Ladder: LadderNone, StopNotification: true}
	case strings.EqualFold(strings.TrimSpace(header.Get("Webhook-Delivery")), "abort"):
		return Verdict{Outcome: Failed, Reason: ReasonAborted, Ladder: LadderNone}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		v.Reason, v.Ladder = ReasonStatus4xx, LadderFull
	case status >= 500 && status <= 599:
		v.Reason, v.Ladder = ReasonStatus5xx, LadderFull
	case status >= 400 && status <= 499:
		v.Reason = ReasonStatus4xx
	case status >= 300 && status <= 399:
		v.Reason = ReasonRedirect
	default:
		v.Reason = ReasonStatus
	}
	v.RetryAfter, _ = ParseRetryAfter(header.Get("Retry-After"), now)
	return v
}

// JudgeFault judges an attempt that got no whole answer, or was not sent at all.
func JudgeFault(reason Reason) Verdict {
	v := Verdict{Outcome: Failed, Reason: reason}
	switch reason {
	case ReasonTimeout, ReasonDNS, ReasonConnect, ReasonTLS, ReasonReset, ReasonProtocol, ReasonInterrupted:
		v.Ladder = LadderFull
	case ReasonBlockedAddress, ReasonBadURL, ReasonHandshakeRefused:
		v.Ladder = LadderShort // an address, a configuration or a receiver may be mended; nothing was sent meanwhile
	default:
		v.Ladder = LadderNone
	}
	return v
}

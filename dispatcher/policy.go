package dispatcher

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DefaultSchedule holds the delays before attempt 2, 3, ... (Standard Webhooks' suggestion, denser at its start); the
// first attempt goes out at once.
var DefaultSchedule = []Duration{
	Duration(5 * time.Second), Duration(30 * time.Second), Duration(2 * time.Minute), Duration(10 * time.Minute),
	Duration(30 * time.Minute), Duration(2 * time.Hour), Duration(5 * time.Hour), Duration(10 * time.Hour),
	Duration(14 * time.Hour), Duration(20 * time.Hour), Duration(24 * time.Hour),
}

const (
	// ShortLadderAttempts bounds attempts at a target whose answer says that repeating will not help.
	ShortLadderAttempts = 3
	// Jitter spreads each delay over [delay, delay*(1+Jitter)): never earlier than the schedule says.
	Jitter = 0.2
	// MaxRetryAfter caps what a target may ask for.
	MaxRetryAfter = 24 * time.Hour
)

// Attempts returns how many attempts the policy allows in all.
func (r Retry) Attempts() int {
	switch {
	case r.MaxAttempts > 0:
		return r.MaxAttempts
	case len(r.Schedule) > 0:
		return len(r.Schedule) + 1
	default:
		return len(DefaultSchedule) + 1
	}
}

// Next returns the delay until the next attempt after counted attempts ended with the verdict, or false when the
// delivery is given up. random is uniform in [0,1).
func (r Retry) Next(counted int, v Verdict, random float64) (time.Duration, bool) {
	allowed := r.Attempts()
	switch v.Ladder {
	case LadderNone:
		return 0, false
	case LadderShort:
		allowed = min(allowed, ShortLadderAttempts)
	}
	if counted >= allowed {
		return 0, false
	}
	schedule := r.Schedule
	if len(schedule) == 0 {
		schedule = DefaultSchedule
	}
	delay := schedule[min(max(counted-1, 0), len(schedule)-1)].D()
	delay += time.Duration(random * Jitter * float64(delay))
	return max(delay, min(v.RetryAfter, MaxRetryAfter)), true
}

// Span is how long the policy would go on by its schedule after counted attempts.
func (r Retry) Span(counted int) (span time.Duration) {
	schedule := r.Schedule
	if len(schedule) == 0 {
		schedule = DefaultSchedule
	}
	for n := max(counted, 1); n < r.Attempts(); n++ {
		span += schedule[min(n-1, len(schedule)-1)].D()
	}
	return span
}

// ParseRetryAfter reads the header of RFC 9110 §10.2.3: whole seconds, or an HTTP date. The result is capped to
// [0, MaxRetryAfter]; anything else is false.
func ParseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true // more digits than fit is a long time, too
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}

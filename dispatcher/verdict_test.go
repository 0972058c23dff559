package dispatcher_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// judged is what design.md §4 says of an answer without special headers: one line of the text is one case here.
func judged(status int) dispatcher.Verdict {
	failed := func(reason dispatcher.Reason, ladder dispatcher.Ladder) dispatcher.Verdict {
		return dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: reason, Ladder: ladder}
	}
	full := map[int]bool{408: true, 425: true, 429: true} // "408, 425, 429, 5xx ... are retried"
	switch status / 100 {
	case 2:
		return dispatcher.Verdict{Outcome: dispatcher.Delivered} // "success is a 2xx"
	case 3:
		return failed("redirect", dispatcher.LadderShort) // "not followed and are failures"
	case 4:
		switch {
		case status == 410: // "410 stops the notification"
			v := failed("gone", dispatcher.LadderNone)
			v.StopNotification = true
			return v
		case full[status]:
			return failed("status_4xx", dispatcher.LadderFull)
		}
		return failed("status_4xx", dispatcher.LadderShort) // "other 4xx are retried on a short ladder only"
	case 5:
		return failed("status_5xx", dispatcher.LadderFull)
	}
	return failed("status_other", dispatcher.LadderShort)
}

func TestJudgeAnswerOfEveryStatus(t *testing.T) {
	t.Parallel()
	for status := 100; status <= 599; status++ {
		want := judged(status)
		if got := dispatcher.JudgeAnswer(status, nil, noon); got != want {
			t.Errorf("%d without headers: %+v, want %+v", status, got, want)
		}
		// Retry-After counts wherever another attempt may follow, and nowhere else.
		if want.Ladder != dispatcher.LadderNone {
			want.RetryAfter = 2 * time.Minute
		}
		if got := dispatcher.JudgeAnswer(status, http.Header{"Retry-After": {"120"}}, noon); got != want {
			t.Errorf("%d with Retry-After: %+v, want %+v", status, got, want)
		}
		// "A response header webhook-delivery: abort ends that delivery", but a 2xx stays a success, and a 410 still
		// stops the notification.
		want = judged(status)
		if want.Outcome == dispatcher.Failed && !want.StopNotification {
			want = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: dispatcher.ReasonAborted}
		}
		if got := dispatcher.JudgeAnswer(status, http.Header{"Webhook-Delivery": {"abort"}}, noon); got != want {
			t.Errorf("%d with abort: %+v, want %+v", status, got, want)
		}
	}
}

func TestJudgeAnswerReadsTheAbortHeader(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value string
		abort bool
	}{
		{"abort", true},
		{" Abort ", true}, // a token of a header: neither case nor space counts
		{"", false},
		{"aborted", false},
		{"continue", false},
		{"no-abort", false},
	} {
		got := dispatcher.JudgeAnswer(503, http.Header{"Webhook-Delivery": {row.value}}, noon)
		if aborted := got.Reason == dispatcher.ReasonAborted; aborted != row.abort {
			t.Errorf("webhook-delivery: %q gives %+v, want abort = %v", row.value, got, row.abort)
		}
	}
}

func TestJudgeAnswerTakesNoRetryAfterThatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "soon", "-5", "1.5", "5 s"} {
		if got := dispatcher.JudgeAnswer(503, http.Header{"Retry-After": {text}}, noon); got != judged(503) {
			t.Errorf("Retry-After: %q gives %+v, want %+v", text, got, judged(503))
		}
	}
}

// design.md §4: network faults are retried; what cannot come right by itself is not. A reason that is added to the
// closed set has to be added here, too.
func TestJudgeFaultOfEveryReason(t *testing.T) {
	t.Parallel()
	want := map[dispatcher.Reason]dispatcher.Ladder{
		"timeout": dispatcher.LadderFull, "dns": dispatcher.LadderFull, "connect": dispatcher.LadderFull,
		"tls": dispatcher.LadderFull, "reset": dispatcher.LadderFull, "protocol": dispatcher.LadderFull,
		"interrupted": dispatcher.LadderFull, // the worker died: our fault, never the end of a delivery

		// Refused by us before anything was sent; DNS or a configuration may be mended.
		"blocked_address": dispatcher.LadderShort, "bad_url": dispatcher.LadderShort, "handshake_refused": dispatcher.LadderShort,

		// The body and the template stay the same on every attempt, so would the failure.
		"unresolved_placeholder": dispatcher.LadderNone, "too_large": dispatcher.LadderNone,
		"unrenderable": dispatcher.LadderNone, "payload_gone": dispatcher.LadderNone,

		// Settled, or answered: no faults of an attempt.
		"expired": dispatcher.LadderNone, "cancelled": dispatcher.LadderNone, "stopped": dispatcher.LadderNone,
		"superseded": dispatcher.LadderNone, "status_4xx": dispatcher.LadderNone, "status_5xx": dispatcher.LadderNone,
		"status_other": dispatcher.LadderNone, "redirect": dispatcher.LadderNone, "gone": dispatcher.LadderNone,
		"aborted": dispatcher.LadderNone,
	}
	for _, reason := range dispatcher.Reasons {
		ladder, known := want[reason]
		if !known {
			t.Errorf("reason %s is not in this table", reason)
			continue
		}
		delete(want, reason)
		verdict := dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: reason, Ladder: ladder}
		if got := dispatcher.JudgeFault(reason); got != verdict {
			t.Errorf("%s: %+v, want %+v", reason, got, verdict)
		}
	}
	for reason := range want {
		t.Errorf("reason %s is not in Reasons (or twice)", reason)
	}
}

func ExampleJudgeAnswer() {
	v := dispatcher.JudgeAnswer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"60"}}, time.Now())
	fmt.Println(v.Outcome, v.Reason, v.RetryAfter)
	// Output: failed status_5xx 1m0s
}

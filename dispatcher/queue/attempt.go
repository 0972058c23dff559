package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// attempt is one attempt of a claimed delivery: resolve the URL, pass the target's gate, compose, send, judge, record.
type attempt struct {
	*drain
	h       store.Held
	n       *dispatcher.Notification
	snap    *dispatcher.Snapshot
	claimed time.Time // when the lease was asked for

	told  dispatcher.Attempt // what the Event will say
	begun bool               // the request: from then on nobody may say that nothing was sent
}

// errLeaseShort says that so much of the lease has passed before the request that another worker may soon take over.
var errLeaseShort = errors.New("too much of the lease has passed before the request")

func (t *attempt) make(ctx context.Context) (done Disposition, err error) {
	defer func() {
		if r := recover(); r != nil { // one order that breaks a format must not break its lane for ever
			done, err = t.panicked(ctx, r)
		}
	}()
	began, at := t.now(), addressOf(t.n.URL)
	t.told = dispatcher.Attempt{
		ID: dispatcher.NewEventID(began, t.h.Ref().Shard()), Number: t.h.Attempts + 1, Trigger: t.h.NextTrigger,
		At: began, Method: t.n.Method, URL: at.told, Sent: dispatcher.SentNo,
	}
	if len(t.n.Headers) > 0 {
		t.told.HeaderNames = make([]string, len(t.n.Headers))
	}
	for i, header := range t.n.Headers {
		t.told.HeaderNames[i] = http.CanonicalHeaderKey(header.Name)
	}
	url, obstacle, err := t.resolve(ctx, at)
	if err != nil {
		return Disposition{}, t.release(ctx, t.h, err)
	}
	var target string
	if obstacle.reason == "" {
		if t.told.URL, target, err = at.called(t.n.URL, url); err != nil {
			obstacle.reason, obstacle.detail = dispatcher.ReasonBadURL, err.Error()
		}
	}
	if obstacle.reason != "" {
		return t.end(ctx, t.hindered(obstacle))
	}
	if err := t.keepPass(ctx, target); err != nil {
		return Disposition{}, t.release(ctx, t.h, err)
	}
	t.to = target
	passage, why := t.gate.enter(target, t.h.Delivery)
	if why != "" {
		return t.park(ctx, t.h, target, why)
	}
	defer t.gate.leave(passage, unsent, t.told) // unless it has left
	verdict, err := t.send(ctx, url)
	if err != nil {
		return Disposition{}, t.release(ctx, t.h, err)
	}
	t.told.Outcome, t.told.Reason = verdict.Outcome, verdict.Reason
	trip := t.gate.leave(passage, verdict, t.told)
	done, err = t.end(ctx, verdict)
	t.account(ctx, passage, verdict, t.told, trip)
	return done, err
}

// keepPass keeps the place of a delivery that the keeper let out, for as long as the attempt may last. The record says that
// it was let out, the store whether it still has its place: that ends when it is not claimed in time, or when the worker
// that claimed it was killed. Without one it stands before the gate like any other.
func (t *attempt) keepPass(ctx context.Context, target string) (err error) {
	if !t.h.Pass {
		return nil
	}
	if t.h.Target != target { // the URL has changed: the place is at another target's
		t.h.Pass = false
		return nil
	}
	t.h.Pass, err = t.store.KeepPass(ctx, target, t.now().Add(t.n.Timeout.D()+Lease), t.h.ID, t.gate.of(target).MaxInFlight)
	return err
}

// unsent says nothing of a target.
var unsent = dispatcher.Verdict{Reason: dispatcher.ReasonInterrupted}

// send composes the request and POSTs it. An error means that nothing was sent and that the fault is ours.
func (t *attempt) send(ctx context.Context, url string) (dispatcher.Verdict, error) {
	request, obstacle, err := t.compose(ctx, url)
	if err != nil {
		return unsent, err
	}
	if t.now().Sub(t.claimed) > Lease/2 {
		return unsent, errLeaseShort
	}
	if obstacle.reason != "" {
		return t.hindered(obstacle), nil
	}
	if t.n.Handshake {
		if verdict := t.handshake(ctx, &request); verdict.Reason != "" {
			return verdict, nil
		}
	}
	t.begun = true
	answer := t.out.Do(ctx, request)
	t.told.StatusCode, t.told.Truncated = answer.StatusCode, answer.Truncated
	t.told.Header, t.told.Body = scrub(t.n, request.URL, answer)
	t.told.Duration, t.told.RemoteAddress, t.told.Sent = answer.Duration, answer.RemoteAddress, answer.Sent
	if answer.Reason != "" {
		t.told.Detail = t.explainURL(answer.Reason, request.URL)
		return dispatcher.JudgeFault(answer.Reason), nil
	}
	return dispatcher.JudgeAnswer(answer.StatusCode, answer.Header, t.now()), nil
}

// hindered judges an attempt that cannot be sent.
func (t *attempt) hindered(by obstacle) dispatcher.Verdict {
	t.told.Detail = dispatcher.Explain(by.detail)
	return dispatcher.JudgeFault(by.reason)
}

// end records the attempt and moves the delivery on.
func (t *attempt) end(ctx context.Context, verdict dispatcher.Verdict) (Disposition, error) {
	t.told.Outcome, t.told.Reason = verdict.Outcome, verdict.Reason
	to := dispatcher.Advance(t.h.Delivery, t.n.Retry, verdict, t.told, t.now(), rand.Float64())
	t.told.WillRetry, t.told.NextAttemptAt = !to.Status.Terminal(), to.NextAttemptAt
	return t.record(ctx, &to, verdict)
}

func (t *attempt) panicked(ctx context.Context, r any) (Disposition, error) {
	t.log.ErrorContext(ctx, "delivery.panicked", "delivery", t.h.ID, "order", t.h.OrderID, "panic", r, "stack", string(debug.Stack()))
	if t.begun {
		return Disposition{}, fmt.Errorf("panic after the request: %v", r) // the sweep finds the attempt interrupted, sent unknown
	}
	return t.settle(ctx, t.h, dispatcher.StatusFailed, dispatcher.ReasonUnrenderable)
}

package dispatcher

import "time"

// Advance returns the delivery as it is after an attempt: delivered, given up, or due again. random is uniform in [0,1).
func Advance(d Delivery, policy Retry, v Verdict, a Attempt, now time.Time, random float64) Delivery {
	d.Attempts, d.Counted = a.Number, d.Counted+1
	d.Reason, d.StatusCode = v.Reason, a.StatusCode
	d.ClaimedAt, d.NextAttemptAt = time.Time{}, time.Time{}
	d.NextTrigger = TriggerAutomatic
	d.Target, d.ParkedAt, d.ParkedFor, d.Pass = "", time.Time{}, "", false
	if v.Outcome == Delivered {
		d.Status, d.WasDelivered, d.SettledAt = StatusDelivered, true, now
		return d
	}
	if !d.Lone {
		if delay, again := policy.Next(d.Counted, v, random); again {
			d.Status, d.NextAttemptAt = StatusRetrying, now.Add(delay)
			if d.Expired(d.NextAttemptAt) { // it would not be sent then: its lane need not wait for that
				d.Status, d.NextAttemptAt, d.SettledAt = StatusExpired, time.Time{}, now
			}
			return d
		}
	}
	d.Status, d.SettledAt = StatusFailed, now
	if d.WasDelivered {
		d.Status = StatusDelivered // a forced retry that fails does not undo the delivery
	}
	return d
}

// MaxInterruptions is how many attempts of a delivery may be lost before it is given up: what keeps killing its workers
// must not do so for ever. A test is not made again at all.
const MaxInterruptions = 20

// Interrupt returns the delivery as it is after an attempt whose worker died before it could record it, and that
// attempt's Event. Nobody knows whether the request went out. The Event's time is when it was found lost, its duration
// how long before that it had begun. The attempt does not count against the policy: the fault was ours.
func Interrupt(d Delivery, now time.Time) (Delivery, Attempt) {
	a := Attempt{
		ID: NewEventID(now, d.Ref().Shard()), Number: d.Attempts + 1, Trigger: d.NextTrigger, At: now,
		Duration: now.Sub(d.ClaimedAt), Sent: SentUnknown, Outcome: Failed, Reason: ReasonInterrupted,
	}
	d.Attempts++
	d.ClaimedAt, d.NextAttemptAt, d.Pass = time.Time{}, now, false
	if d.Test || d.Attempts-d.Counted > MaxInterruptions {
		d.Status, d.Reason, d.NextAttemptAt, d.SettledAt = StatusFailed, ReasonInterrupted, time.Time{}, now
		return d, a
	}
	a.WillRetry, a.NextAttemptAt = true, now
	return d, a
}

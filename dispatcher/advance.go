package dispatcher

import "time"

// Advance returns the delivery as it is after an attempt: delivered, given up, or due again. random is uniform in [0,1).
func Advance(d Delivery, policy Retry, v Verdict, a Attempt, now time.Time, random float64) Delivery {
	d.Attempts, d.Counted = a.Number, d.Counted+1
	d.Reason, d.StatusCode = v.Reason, a.StatusCode
	d.ClaimedAt, d.NextAttemptAt = time.Time{}, time.Time{}
	d.NextTrigger = TriggerAutomatic
	if v.Outcome == Delivered {
		d.Status, d.WasDelivered, d.SettledAt = StatusDelivered, true, now
		return d
	}
	if !d.Lone {
		if delay, again := policy.Next(d.Counted, v, random); again {
			d.Status, d.NextAttemptAt = StatusRetrying, now.Add(delay)
			return d
		}
	}
	d.Status, d.SettledAt = StatusFailed, now
	if d.WasDelivered {
		d.Status = StatusDelivered // a forced retry that fails does not undo the delivery
	}
	return d
}

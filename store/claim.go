package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// ClaimState says what became of a claim.
type ClaimState string

const (
	Claimed ClaimState = "ok"
	Gone    ClaimState = "gone"    // no such delivery (any more)
	Stale   ClaimState = "stale"   // a newer generation has been enqueued: this task drops itself
	Settled ClaimState = "settled" // nothing is left to do
	Busy    ClaimState = "busy"    // another worker holds the lease
	Waiting ClaimState = "waiting" // not yet the head of its lane: it is enqueued when it is
)

// Claim is what a worker needs for one attempt.
type Claim struct {
	State        ClaimState
	Held         Held                     // with ClaimedAt set; write through it
	Lost         time.Time                // when an earlier attempt was claimed that nobody recorded; else zero
	Newest       string                   // id of the newest delivery in the lane
	Snapshot     *dispatcher.Snapshot     // nil: gone
	Notification *dispatcher.Notification // nil: removed
}

// Claim takes the delivery for one attempt until the lease ends. One round trip. When its answer is lost, go-redis asks again, and
// is told that the claim is ours.
func (s *Store) Claim(ctx context.Context, t dispatcher.Task, lease time.Duration) (Claim, error) {
	shard := t.Ref().Shard()
	now := s.now()
	call := newCall(claimScript, 12)
	call.addKeys(deliveryKey(shard, t.DeliveryID), dueKey(shard), laneKey(t.Ref(), t.NotificationID),
		snapshotKey(shard, t.ChangeID), notificationsKey(t.Ref()))
	_, kept := s.owed.get(t.DeliveryID)
	call.addArgs(t.DeliveryID, appendHex(nil, t.Generation, 6), appendTime(nil, now), s.ownLeaseEnd(now.Add(lease)), flag(t.InLane),
		t.NotificationID, flag(kept))
	reply, err := call.run(ctx, s.rdb).StringSlice()
	if err != nil {
		return Claim{}, unavailable("claim", err)
	}
	if state := ClaimState(reply[0]); state != Claimed {
		return Claim{State: state}, nil
	}
	told := told{id: t.DeliveryID, record: reply[2], terms: reply[3], notification: reply[5], newest: reply[6]}
	if !kept {
		told.snapshot = reply[4]
	}
	told.snapshotGone = reply[2][headBytes] == byte(payloadOfChange) && reply[4] == ""
	c, err := s.claimed(ctx, told)
	c.Lost = parseMillis(reply[1])
	return c, err
}

// ownLeaseEnd is the end of a lease but for a fraction of a millisecond that tells one claim from another of the same millisecond: the
// bits that a score has left behind the milliseconds, and not none of them. Processes begin to count at random.
func (s *Store) ownLeaseEnd(at time.Time) float64 {
	const fractions = 1 << 12
	return float64(millis(at)) - float64(1+s.claims.Add(1)%(fractions-1))/fractions
}

// Renew moves the end of the lease of attempts that take long. One round trip.
func (s *Store) Renew(ctx context.Context, lease time.Duration, deliveryIDs ...string) error {
	until := float64(millis(s.now().Add(lease)))
	return s.pipelined(ctx, "renew leases", func(p redis.Pipeliner) {
		for _, id := range deliveryIDs {
			if shard, err := dispatcher.DeliveryShard(id); err == nil {
				p.ZAddXX(ctx, dueKey(shard), redis.Z{Score: until, Member: id})
			}
		}
	})
}

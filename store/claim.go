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

// Claim takes the delivery for one attempt until the lease ends. One round trip.
func (s *Store) Claim(ctx context.Context, t dispatcher.Task, lease time.Duration) (Claim, error) {
	shard := t.Ref().Shard()
	now := s.now()
	keys := []string{
		deliveryKey(shard, t.DeliveryID), dueKey(shard), laneKey(t.Ref(), t.NotificationID),
		snapshotKey(shard, t.ChangeID), notificationsKey(t.Ref()),
	}
	change := changeOf{t.Ref(), t.ChangeID}
	kept, isKept := s.snapshots.get(change)
	reply, err := claimScript.Run(ctx, s.rdb, keys, t.DeliveryID, appendCount(nil, t.Generation),
		appendTime(nil, now), millis(now.Add(lease)), flag(t.InLane), t.NotificationID, flag(isKept)).StringSlice()
	if err != nil {
		return Claim{}, unavailable("claim", err)
	}
	c := Claim{State: ClaimState(reply[0])}
	if c.State != Claimed {
		return c, nil
	}
	before, err := parseHead(t.DeliveryID, reply[1])
	if err != nil {
		return c, err
	}
	c.Lost, c.Newest = before.ClaimedAt, reply[5]
	if c.Held, err = decodeDelivery(t.DeliveryID, reply[2]); err != nil {
		return c, err
	}
	if c.Snapshot, err = s.claimedSnapshot(change, reply[3], kept); err != nil {
		return c, err
	}
	if reply[4] != "" {
		n, err := s.decodeNotification(t.Ref(), t.NotificationID, reply[4])
		if err != nil {
			return c, err
		}
		c.Notification = &n
	}
	return c, nil
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

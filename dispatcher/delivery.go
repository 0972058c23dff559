package dispatcher

import (
	"time"

	"github.com/tidings/tidings/scope"
)

// Status of a delivery.
type Status string

const (
	StatusPending    Status = "pending"    // from plan; leaves by its first attempt
	StatusWaiting    Status = "waiting"    // open, behind the head of its lane; becomes pending when it is the head
	StatusParked     Status = "parked"     // its target's gate is not closed; leaves when the keeper lets it out
	StatusRetrying   Status = "retrying"   // an attempt failed and another is due
	StatusDelivered  Status = "delivered"  // terminal; a forced retry leaves it
	StatusFailed     Status = "failed"     // terminal: given up by its policy; a manual retry leaves it
	StatusCancelled  Status = "cancelled"  // terminal: notification or order removed
	StatusSuperseded Status = "superseded" // terminal: ordering "latest", a newer one took its place
	StatusExpired    Status = "expired"    // terminal: expiresAfter passed
)

// Terminal reports whether nothing more happens to the delivery by itself.
func (s Status) Terminal() bool {
	switch s {
	case StatusDelivered, StatusFailed, StatusCancelled, StatusSuperseded, StatusExpired:
		return true
	}
	return false
}

// Trigger says why an attempt was made.
type Trigger string

const (
	TriggerAutomatic Trigger = "automatic" // the first attempt and the retries of the policy
	TriggerManual    Trigger = "manual"    // somebody asked for this delivery again
	TriggerReplay    Trigger = "replay"    // part of a replay of many
	TriggerTest      Trigger = "test"      // of a sample, to see whether the target takes it
)

// Evidence is why a delivery came to be: the value that changed, before and after.
type Evidence struct {
	Scope     string      `json:"scope"`
	Pointer   string      `json:"pointer"`
	Before    scope.Value `json:"before,omitzero"`
	After     scope.Value `json:"after,omitzero"`
	Truncated bool        `json:"truncated,omitempty"` // a value of more than MaxEvidenceBytes was left out
}

// MaxEvidenceBytes bounds each value kept as evidence.
const MaxEvidenceBytes = 512

// Delivery is one change owed to one notification.
type Delivery struct {
	ID             string
	Merchant       string
	Channel        string
	OrderID        string
	OrderVersion   int64
	ChangeID       string
	NotificationID string
	Registered     time.Time // when the notification was: another one under the same id is not this one
	AdapterID      string
	Reference      string
	Scope          []string // the keys that matched
	Evidence       []Evidence
	Format         string
	Options        scope.Value
	Ordering       Ordering
	Created        time.Time
	ExpiresAt      time.Time // zero: never

	Status        Status
	Reason        Reason // of the last failure
	StatusCode    int    // of the last answer
	Attempts      int    // made, those included that count for nothing
	Counted       int    // that count against the policy; faults of ours do not
	NextAttemptAt time.Time
	NextTrigger   Trigger
	Lone          bool // a manual attempt of a settled delivery: outside its lane, and not repeated by itself
	WasDelivered  bool // delivered once already: a forced retry that fails takes nothing away from that
	SettledAt     time.Time
	Test          bool // of a sample, owed to no change: see NewTest
	Erased        bool // its order was deleted: evidence and bodies are gone

	// While it is parked, and the target it was parked for; Pass while the keeper has let it out, until its next attempt.
	Target    string
	ParkedAt  time.Time
	ParkedFor ParkReason
	Pass      bool

	Generation int       // part of the TaskID; a task of an older generation drops itself
	ClaimedAt  time.Time // when a worker began the attempt in flight; zero when there is none
}

// Ref names the order.
func (d Delivery) Ref() OrderRef { return OrderRef{Merchant: d.Merchant, OrderID: d.OrderID} }

// InLane reports whether the delivery takes its turn in a lane.
func (d Delivery) InLane() bool { return d.Ordering != OrderingNone && !d.Lone }

// Park returns the delivery as it waits for its target. Its attempts stay as they are: parking burns none.
func (d Delivery) Park(target string, why ParkReason, now time.Time) Delivery {
	if d.ParkedAt.IsZero() || d.Target != target {
		d.ParkedAt = now
	}
	d.Status, d.Target, d.ParkedFor, d.Pass, d.ClaimedAt = StatusParked, target, why, false, time.Time{}
	return d
}

// LetOut returns the delivery as the keeper lets it out, under a new generation and with a pass.
func (d Delivery) LetOut() Delivery {
	d.Status = StatusPending
	if d.Attempts > 0 {
		d.Status = StatusRetrying
	}
	d.Generation++
	d.Pass, d.NextAttemptAt = true, time.Time{}
	return d
}

// Expired reports whether the delivery may no longer be sent by itself.
func (d Delivery) Expired(now time.Time) bool {
	return !d.ExpiresAt.IsZero() && !now.Before(d.ExpiresAt)
}

// Task names one generation of a delivery and all that is needed to find its data: ids only.
type Task struct {
	DeliveryID     string
	Generation     int
	Merchant       string
	OrderID        string
	NotificationID string
	ChangeID       string
	InLane         bool
}

// Task returns what a worker needs to begin the delivery's next attempt.
func (d Delivery) Task() Task {
	return Task{
		DeliveryID: d.ID, Generation: d.Generation, Merchant: d.Merchant, OrderID: d.OrderID,
		NotificationID: d.NotificationID, ChangeID: d.ChangeID, InLane: d.InLane(),
	}
}

// Ref names the order.
func (t Task) Ref() OrderRef { return OrderRef{Merchant: t.Merchant, OrderID: t.OrderID} }

package dispatcher

import (
	"time"

	"github.com/tidings/tidings/scope"
)

// MaxStatusBytes bounds the status of an order: it becomes part of scope keys, which name indexes.
const MaxStatusBytes = 256

// Order is an order as last accepted.
type Order struct {
	Merchant string
	ID       string
	Channel  string
	Version  int64       // 1 for the first accepted document, 0 while only notifications are known
	Document scope.Value // as written by the adapter
	Created  time.Time
	Modified time.Time
}

// Ref names the order.
func (o Order) Ref() OrderRef { return OrderRef{Merchant: o.Merchant, OrderID: o.ID} }

// Exists reports whether a document was ever accepted.
func (o Order) Exists() bool { return o.Version > 0 }

// Change is one accepted new version of an order.
type Change struct {
	ID      string
	Order   Order       // as of the change: its Version, Document and Modified are the new ones
	Before  scope.Value // absent for a first document
	Changed []scope.Pointer
	Actor   string // X-AdapterId of who made it; "" when nobody said
}

// NewChange compares the order as it is with the document that shall replace it. No change by meaning gives false.
func NewChange(before Order, document scope.Value, actor string, now time.Time) (Change, bool) {
	changed := scope.Diff(before.Document, document)
	if len(changed) == 0 && before.Exists() {
		return Change{}, false
	}
	after := before
	after.Version++
	after.Document = document
	after.Modified = now
	if !before.Exists() {
		after.Created = now
	}
	return Change{ID: NewID(now), Order: after, Before: before.Document, Changed: changed, Actor: actor}, true
}

// Snapshot is what is kept of a change for as long as deliveries may be sent from it: enough to render every body the
// same on every attempt, whatever happens to the order or its notifications later.
type Snapshot struct {
	Order         Order                // its document may be folded
	Notifications []PublicNotification // as registered at the time of the change
}

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
	Version  int64       // of the last accepted document, counted from 1; 0 while only notifications are known
	Erased   int64       // version of an order by this name that was erased lately; 0: none was
	Document scope.Value // as written by the adapter
	Created  time.Time
	Modified time.Time
}

// New reports whether the order is as its first document made it.
func (o Order) New() bool { return o.Exists() && o.Created.Equal(o.Modified) }

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
	// Receivers take a lower version than they have for late news, and an ETag must not come back: an order that is made
	// anew goes on counting where the erased one stopped.
	after.Version = max(before.Version, before.Erased) + 1
	after.Document = document
	after.Modified = now
	if !before.Exists() {
		after.Created = now
	} else if next := before.Created.Add(time.Millisecond); now.Before(next) {
		after.Modified = next // what is kept has milliseconds: only a new order is modified when it was created
	}
	return Change{ID: NewID(now), Order: after, Before: before.Document, Changed: changed, Actor: actor}, true
}

// Snapshot is what is kept of a change for as long as deliveries may be sent from it: enough to render every body the
// same on every attempt, whatever happens to the order or its notifications later.
type Snapshot struct {
	Order         Order                // its document may be folded
	Notifications []PublicNotification // as registered at the time of the change
}

package dispatcher

import "errors"

// Kinds of trouble, tested with errors.Is. Everything else that an error can say is wrapping.
var (
	ErrNotFound    = errors.New("not found")                     // no such thing, or not for this merchant
	ErrConflict    = errors.New("changed meanwhile")             // somebody else wrote first; load and try again
	ErrUnavailable = errors.New("store unavailable")             // could not look: never the same as ErrNotFound
	ErrNotOpen     = errors.New("delivery cannot be sent again") // see the wrapping text for why
	ErrDelivered   = errors.New("already delivered")             // a retry needs force
	ErrInFlight    = errors.New("attempt in flight")             // a worker is sending it at this moment
	ErrStopped     = errors.New("notification is stopped")       // its target answered 410
	ErrPayloadGone = errors.New("payload is gone")               // erased with its order, or left by retention
)

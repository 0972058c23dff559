package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

// after is what a commit leaves: the texts that are written, and the state that a Load would make of them.
type after struct {
	state    State
	document []byte   // nil: it stays
	records  [][]byte // of the notifications to put, in their order
}

// after encodes what a commit writes. Its state holds on to nothing of the request that the commit was made of: what is
// not read by itself already is read from the text that is written, so that it may be kept for long.
func (s *Store) after(c Commit, token string) (after, error) {
	a := after{state: State{Order: c.State.Order, Notifications: c.State.Notifications, token: token, weight: c.State.weight}}
	if !c.State.Known() {
		a.state.Order.Channel = strings.Clone(c.Channel)
	}
	if c.Change != nil {
		a.state.Order = c.Change.Order
		o := &a.state.Order
		o.Merchant, o.ID, o.Channel = c.State.Order.Merchant, c.State.Order.ID, strings.Clone(o.Channel)
		o.Created, o.Modified = fromMillis(millis(o.Created)), fromMillis(millis(o.Modified))
		a.document = o.Document.JSON()
		if !o.Document.StandsAlone() || !o.Document.Compact() {
			document, err := documentOf(a.document)
			if err != nil {
				return a, fmt.Errorf("order %s: %w", o.ID, err) // no Load could read it
			}
			o.Document = document
		}
	}
	if len(c.Put) == 0 && len(c.Remove) == 0 {
		return a, nil
	}
	ref, put := a.state.Order.Ref(), make([]dispatcher.Notification, len(c.Put))
	for i, n := range c.Put {
		record, err := s.encodeNotification(ref, n)
		if err != nil {
			return a, err
		}
		if put[i], err = s.decodeNotification(ref, strings.Clone(n.ID), string(record)); err != nil {
			return a, err
		}
		a.records = append(a.records, record)
	}
	a.state.Notifications = slices.DeleteFunc(MergeNotifications(c.State.Notifications, put), func(n dispatcher.Notification) bool {
		return slices.Contains(c.Remove, n.ID)
	})
	slices.SortFunc(a.state.Notifications, byRegistration)
	a.state.weight = 0
	return a, nil
}

// public is what everybody may know of the order's notifications, as they are after the commit.
func (a after) public() []dispatcher.PublicNotification {
	all := make([]dispatcher.PublicNotification, len(a.state.Notifications))
	for i, n := range a.state.Notifications {
		all[i] = n.Public()
	}
	return all
}

// What a state takes beside its texts, about: times, slices, a compiled scope.
const (
	stateBytes        = 512
	notificationBytes = 1024
	perTextByte       = 4 // parsed, a scope or options take some times their text
)

// Bytes is about how much memory the state takes, when a commit left it or a Load read it.
func (s *State) Bytes() int {
	if s.weight == 0 {
		s.weight = stateBytes
		for _, n := range s.Notifications {
			s.weight += notificationBytes + perTextByte*n.Bytes()
		}
	}
	return s.weight + s.Order.Document.Bytes()
}

// addArgs adds those of the commit script, as far as the order and its notifications go.
func (a after) addArgs(call *call, c Commit) {
	call.addArgs(c.State.token, a.state.token)
	switch o := a.state.Order; {
	case a.document != nil:
		call.addArgs(5, "v", o.Version, "d", pack.Quick(a.document), "c", o.Channel, "t", millis(o.Created), "m", millis(o.Modified))
	case !c.State.Known():
		call.addArgs(1, "c", o.Channel)
	default:
		call.addArgs(0)
	}
	call.addArgs(len(c.Put))
	for i, n := range c.Put {
		call.addArgs(n.ID, a.records[i])
	}
	call.addArgs(len(c.Remove))
	for _, id := range c.Remove {
		call.addArgs(id)
	}
}

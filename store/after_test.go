package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// What a commit leaves is committed onto as if it had been loaded, and is refused when somebody else wrote.
func TestCommitOntoWhatACommitLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		state := h.commit(t, h.planned(t, h.load(t, order("1")), status("a"), notification(t, "n1", "strict"))).State
		state = h.commit(t, h.planned(t, state, status("b"))).State
		state = h.commit(t, store.Commit{State: state, Put: []dispatcher.Notification{notification(t, "n0", "none"), notification(t, "n1", "none")}}).State
		state = h.commit(t, store.Commit{State: state, Remove: []string{"n1"}}).State
		if got := state.Notifications; state.Order.Version != 2 || len(got) != 1 || got[0].ID != "n0" {
			t.Errorf("version %d with %+v", state.Order.Version, got)
		}
		h.put(t, order("1"), status("c"))
		if _, err := h.Commit(t.Context(), h.planned(t, state, status("d"))); !errors.Is(err, dispatcher.ErrConflict) {
			t.Errorf("a commit onto what somebody else has overwritten: %v", err)
		}
		invariants(t, h.plain)
	})
}

// A state that is kept must not keep the request alive which it came with.
func TestACommitLeavesNothingOfItsRequest(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		document := status("created")
		request := parseOrder(t, strings.Replace(document, "{", `{"notifications":[`+strings.Repeat(" ", 1<<20)+`],`, 1))
		for name, body := range map[string]string{
			"white space before it": strings.Repeat(" ", 1<<20) + document,
			"white space after it":  document + strings.Repeat("\n", 1<<20),
			"members taken out":     "",
		} {
			value := request.Without("notifications")
			if body != "" {
				value = parseOrder(t, body)
			}
			change, _ := dispatcher.NewChange(h.load(t, order(name)).Order, value, "", h.clock.Now())
			done := h.commit(t, store.Commit{State: h.load(t, order(name)), Channel: "web", Change: &change})
			if got := done.State.Order.Document; !got.StandsAlone() || string(got.JSON()) != document {
				t.Errorf("%s: %s, which holds on to more: %v", name, got.JSON(), !got.StandsAlone())
			}
			if got := done.State.Bytes(); got > 4096 {
				t.Errorf("%s: %d bytes", name, got)
			}
		}
	})
}

// Bytes grows with everything that a state holds.
func TestBytesOfAState(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		weigh := func(c store.Commit) int { state := h.commit(t, c).State; return state.Bytes() }
		small := weigh(h.planned(t, h.load(t, order("1")), status("a")))
		large := weigh(h.planned(t, h.load(t, order("1")), `{"a":"`+strings.Repeat("x", 1<<16)+`"}`))
		if large-small < 1<<15 {
			t.Errorf("%d bytes, and with 64 KiB more %d", small, large)
		}
		n := notification(t, "n1", "strict")
		n.Description = strings.Repeat("x", 1<<16)
		registered := weigh(store.Commit{State: h.load(t, order("1")), Put: []dispatcher.Notification{n}})
		if registered-large < 1<<15 {
			t.Errorf("%d bytes, and with a notification of 64 KiB %d", large, registered)
		}
		if changed := weigh(h.planned(t, h.load(t, order("1")), status("a"))); changed-small < 1<<15 {
			t.Errorf("%d bytes once the document is small again", changed)
		}
	})
}

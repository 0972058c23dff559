package queue_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// What was owed to a notification is not owed to another one that was registered under its id: nothing would be sent, and
// so nothing may be promised.
func TestNoManualRetryToAnotherRegistration(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) { w.WriteHeader(http.StatusBadRequest) })
		mine := func(n *dispatcher.Notification) { n.ID, n.Retry.MaxAttempts = "mine", 1 }
		n := h.register(r.URL, mine)
		id := h.change("completed")[0].ID
		_, attempts := h.await(id, dispatcher.StatusFailed)
		event := attempts[0].ID.String()
		refused := func(what string) {
			t.Helper()
			if done, err := h.producer.Retry(t.Context(), "acme", event, false); !errors.Is(err, dispatcher.ErrNotOpen) {
				t.Errorf("%s: %+v, %v", what, done, err)
			}
			if _, all := h.await(id, dispatcher.StatusFailed); len(all) != 2 {
				t.Errorf("%s: %d Events", what, len(all))
			}
		}
		// Replaced it is the same still.
		h.register(r.URL, func(again *dispatcher.Notification) {
			mine(again)
			again.Created, again.Description = n.Created, "anew"
		})
		if _, err := h.producer.Retry(t.Context(), "acme", event, false); err != nil {
			t.Fatal(err)
		}
		h.until(func() bool { return len(eventsNow(h, id)) == 2 }, func() string { return "the retry is not recorded" })
		h.await(id, dispatcher.StatusFailed)
		err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Remove: []string{n.ID}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refused("removed")
		h.clock.advance(time.Second)
		h.register(r.URL, mine)
		refused("registered anew")
	})
}

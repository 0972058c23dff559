package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// breakRecord makes a delivery's record one that nobody can read, as one that a newer version wrote may be; mend undoes it.
func (h *house) breakRecord(t tb, d dispatcher.Delivery) (mend func()) {
	t.Helper()
	key := fmt.Sprintf("td{s%d}:d:%s", d.Ref().Shard(), d.ID)
	letter := h.plain.GetRange(t.Context(), key, 26, 26).Val()
	put := func(letter string) {
		if err := h.plain.SetRange(t.Context(), key, 26, letter).Err(); err != nil {
			t.Fatal(err)
		}
	}
	put("?")
	return func() { put(letter) }
}

// A list leaves out what cannot be read, says so to operators, and goes on behind it, wherever a page ends.
func TestEventsGoOnPastARecordThatCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var log bytes.Buffer
		sealer, err := store.NewSealer(sealingKey)
		if err != nil {
			t.Fatal(err)
		}
		h.Store = store.New(store.Config{
			Redis: h.rdb, Sealer: sealer, Now: h.clock.Now, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		var all []string // newest first
		var bad dispatcher.Delivery
		var unread []dispatcher.Attempt
		for i := range 9 {
			d := h.one(t, order(fmt.Sprint(i)), "none")
			_, first := h.deliver(t, d.Task(), retried)
			h.clock.advance(time.Second)
			_, second := h.deliver(t, d.Task(), delivered)
			h.clock.advance(time.Second)
			if i == 4 {
				bad, unread = d, []dispatcher.Attempt{first, second}
				continue
			}
			all = append([]string{second.ID.String(), first.ID.String()}, all...)
		}
		mend := h.breakRecord(t, bad)
		for limit := 1; limit <= len(all)+1; limit++ {
			if got := h.pages(t, store.Query{Merchant: "acme", Limit: limit}, nil); !slices.Equal(got, all) {
				t.Errorf("in pages of %d:\n got %v\nwant %v", limit, got, all)
			}
		}
		if !strings.Contains(log.String(), "event.unreadable") || !strings.Contains(log.String(), bad.ID) {
			t.Errorf("the log says %q", log.String())
		}
		log.Reset()
		h.pages(t, store.Query{Merchant: "acme", Limit: 100}, nil)
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("one record is told in %d lines:\n%s", lines, log.String())
		}
		// Who asks for that one is not told that it does not exist.
		if _, _, err := h.Event(t.Context(), "acme", unread[0].ID.String()); err == nil || errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("the Event by itself: %v", err)
		}
		mend()
		if _, _, err := h.Event(t.Context(), "acme", unread[0].ID.String()); err != nil {
			t.Error(err)
		}
	})
}

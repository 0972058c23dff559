package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// with is a second Store over the same Redis, with other sealing keys.
func (h *house) with(t tb, rdb *redis.Client, keys ...[]byte) *house {
	t.Helper()
	sealer, err := store.NewSealer(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(store.Config{Redis: rdb, Sealer: sealer, Retention: retention, Grace: grace, Now: h.clock.Now})
	return &house{rdb: rdb, plain: h.plain, clock: h.clock, Store: st}
}

func (h *house) admit(t tb) {
	t.Helper()
	if err := h.Admit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

const sealedOrders = 12

// secretive is a notification that holds a secret of every kind.
func secretive(t tb, id, mark string) dispatcher.Notification {
	n := notification(t, id, dispatcher.OrderingStrict)
	n.URL = "https://erp.example.com/hook?token=" + mark
	n.Headers = []dispatcher.Header{{Name: "X-Key", Value: dispatcher.Secret("header-" + mark)}}
	n.Signing = dispatcher.SigningStandardWebhooks
	n.Secrets = []dispatcher.SigningSecret{{Secret: dispatcher.Secret("signing-" + mark)}}
	return n
}

// sealAll writes something of every kind that is sealed, and returns how many values that makes.
func (h *house) sealAll(t tb) int64 {
	t.Helper()
	for i := range sealedOrders {
		id := fmt.Sprint("a:", i) // an order's id may hold a colon
		h.put(t, order(id), status("created"), secretive(t, "n1", id), secretive(t, "n2", id))
	}
	c := dispatcher.Configuration{AdapterID: "erp", Active: true, Document: parse(t, `{"password":"p4ss"}`),
		Notifications: []dispatcher.Notification{secretive(t, "n1", "configured"), secretive(t, "n2", "configured")}}
	bare := dispatcher.Configuration{AdapterID: "wms", Document: parse(t, `{"password":"p4ss"}`)}
	for _, c := range []dispatcher.Configuration{c, bare} {
		if _, err := h.PutConfiguration(t.Context(), "acme", "web", c); err != nil {
			t.Fatal(err)
		}
	}
	if key := h.signingKey(t); key != "private" {
		t.Fatal(key)
	}
	if _, err := h.BeginAnswer(t.Context(), "acme", "hash", "print"); err != nil {
		t.Fatal(err)
	}
	if err := h.KeepAnswer(t.Context(), "acme", "hash", store.Answer{Fingerprint: "print", Status: 201, Body: []byte("answer")}); err != nil {
		t.Fatal(err)
	}
	return 2*sealedOrders + 2 + 1 + 1
}

func (h *house) signingKey(t tb) string {
	t.Helper()
	key, err := h.SigningKey(t.Context(), "acme", "rsa", func() ([]byte, error) { return []byte("private"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// readsAll holds a Store to read everything that sealAll wrote.
func (h *house) readsAll(t tb) {
	t.Helper()
	for i := range sealedOrders {
		id := fmt.Sprint("a:", i)
		for _, n := range h.load(t, order(id)).Notifications {
			if !n.SameContent(secretive(t, n.ID, id)) {
				t.Errorf("%s/%s reads back as %+v", id, n.ID, n)
			}
		}
	}
	all, err := h.Configurations(t.Context(), "acme", "web")
	if err != nil || len(all) != 2 || len(all[0].Notifications) != 2 || string(all[0].Document.JSON()) != `{"password":"p4ss"}` ||
		!all[0].Notifications[1].SameContent(secretive(t, "n2", "configured")) {
		t.Errorf("configurations %+v, %v", all, err)
	}
	if key := h.signingKey(t); key != "private" {
		t.Errorf("signing key %q", key)
	}
	if a, err := h.BeginAnswer(t.Context(), "acme", "hash", "print"); err != nil || a == nil || string(a.Body) != "answer" {
		t.Errorf("kept answer %+v, %v", a, err)
	}
}

var newKey, otherKey = []byte(strings.Repeat("n", store.SealingKeyBytes)), []byte(strings.Repeat("o", store.SealingKeyBytes))

func TestReseal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.admit(t)
		values := h.sealAll(t)
		rotated := h.with(t, h.rdb, newKey, sealingKey)
		old, fresh := store.SealingKeyID(sealingKey), store.SealingKeyID(newKey)
		if _, err := rotated.Reseal(t.Context(), store.ResealWatch{}); !errors.Is(err, store.ErrNotAdmitted) {
			t.Errorf("resealed with a key that no process has: %v", err)
		}
		rotated.admit(t)
		h.unchanged(t, func() {
			found, err := rotated.CountSealings(t.Context(), store.ResealWatch{})
			if err != nil || found.Values != values || found.ByKey[old] != values || found.Only(fresh) || !found.Only(old) {
				t.Errorf("before: %+v, %v", found, err)
			}
		})
		var foreign *store.ForeignKeysError
		if err := h.with(t, h.rdb, newKey).Admit(t.Context()); !errors.As(err, &foreign) || !slices.Equal(foreign.Foreign, []store.KeyID{old}) {
			t.Errorf("started without the old key: %v", err)
		}
		ttl := h.plain.PTTL(t.Context(), "td{s"+shardOf("hash")+"}:i:acme:hash").Val()
		done, err := rotated.Reseal(t.Context(), store.ResealWatch{})
		if err != nil || done.Resealed != values {
			t.Fatalf("%+v, %v", done, err)
		}
		if now := h.plain.PTTL(t.Context(), "td{s"+shardOf("hash")+"}:i:acme:hash").Val(); now <= 0 || now > ttl {
			t.Errorf("the kept answer expired after %s, now after %s", ttl, now)
		}
		if found, err := rotated.SettleSealing(t.Context(), store.ResealWatch{}); err != nil || !found.Only(fresh) || found.Values != values {
			t.Errorf("after: %+v, %v", found, err)
		}
		only := h.with(t, h.rdb, newKey)
		only.admit(t)
		only.readsAll(t)
		if again, err := rotated.Reseal(t.Context(), store.ResealWatch{}); err != nil || again.Resealed != 0 {
			t.Errorf("a second time: %+v, %v", again, err)
		}
		if err := h.Admit(t.Context()); !errors.As(err, &foreign) {
			t.Errorf("started with the old key alone: %v", err)
		}
	})
}

// What cannot be opened is named, left as it is, and keeps the old key in need.
func TestResealTellsTheUnreadable(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.admit(t)
		h.sealAll(t)
		ctx := t.Context()
		h.with(t, h.rdb, otherKey).put(t, order("foreign"), status("created"), secretive(t, "n1", "foreign"))
		place := func(kind, id string) string { return "td{s" + shardOf(id) + "}:" + kind + ":acme:" + id }
		moved := h.plain.HGet(ctx, place("n", "a:1"), "n1").Val()
		for key, text := range map[string]string{
			place("n", "moved"):  moved,                      // sealed for another place
			place("n", "broken"): "s3cret, not a record",     // no JSON
			place("n", "bare"):   `{"z":"czNjcmV0IHRleHQ="}`, // not sealed
		} {
			h.plain.HSet(ctx, key, "n1", text)
		}
		h.plain.HSet(ctx, place("k", ""), "dsa", "s3cret")
		rotated := h.with(t, h.rdb, newKey, sealingKey)
		rotated.admit(t)
		named := map[string]string{}
		watch := store.ResealWatch{Unreadable: func(place string, err error) { named[place] = err.Error() }}
		before := dump(t, h.plain)
		if _, err := rotated.Reseal(ctx, store.ResealWatch{}); err != nil {
			t.Fatal(err)
		}
		found, err := rotated.SettleSealing(ctx, watch)
		want := []string{place("n", "bare") + " n1", place("n", "broken") + " n1", place("n", "foreign") + " n1", place("n", "moved") + " n1", place("k", "") + " dsa"}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(named)); err != nil || found.Unreadable != 5 || !slices.Equal(got, want) || found.Only(store.SealingKeyID(newKey)) {
			t.Errorf("%+v, %v, named %v; want %v", found, err, got, want)
		}
		if foreign := store.SealingKeyID(otherKey); found.ByKey[foreign] != 1 || !strings.Contains(named[place("n", "foreign")+" n1"], foreign.String()) {
			t.Errorf("the missing key is not named: %+v %v", found, named)
		}
		after := dump(t, h.plain)
		for where, told := range named {
			key, field, _ := strings.Cut(where, " ")
			if after[key].hash[field] != before[key].hash[field] || strings.Contains(told, "s3cret") {
				t.Errorf("%s was changed, or is told: %s", where, told)
			}
		}
		if err := h.with(t, h.rdb, newKey).Admit(ctx); err == nil {
			t.Error("started without the old key, which is still needed")
		}
	})
}

package dispatcher_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestDeliveryIDIsDerived(t *testing.T) {
	t.Parallel()
	ref := dispatcher.OrderRef{Merchant: "acme", OrderID: "1001"}
	id := dispatcher.DeliveryID(ref, "change", "notification")
	// The shard is FNV-1a of merchant, NUL, order; the rest is SHA-256. Both are in stored data: never to change.
	if want := "0f204fbe43a73cb951f00a801190a0ad"; id != want {
		t.Errorf("id %s, want %s: receivers know the old one", id, want)
	}
	seen := map[string]string{id: "the first"}
	for _, other := range [][2]string{{"chang", "enotification"}, {"change", "notification2"}, {"change2", "notification"}, {"notification", "change"}} {
		got := dispatcher.DeliveryID(ref, other[0], other[1])
		if twin, taken := seen[got]; taken {
			t.Errorf("%v has the id of %s", other, twin)
		}
		seen[got] = strings.Join(other[:], " ")
	}
}

func TestIDsNameTheirShard(t *testing.T) {
	t.Parallel()
	used := map[int]bool{}
	for i := range 2000 {
		ref := dispatcher.OrderRef{Merchant: "acme", OrderID: strconv.Itoa(i)}
		shard := ref.Shard()
		if shard < 0 || shard >= dispatcher.Shards {
			t.Fatalf("order %d lives in shard %d", i, shard)
		}
		used[shard] = true
		if got, err := dispatcher.DeliveryShard(dispatcher.DeliveryID(ref, "c", "n")); err != nil || got != shard {
			t.Errorf("delivery of order %d: shard %d, %v; want %d", i, got, err, shard)
		}
		event := dispatcher.NewEventID(noon, shard)
		parsed, err := dispatcher.ParseEventID(event.String())
		if err != nil || parsed != event || parsed.Shard() != shard {
			t.Errorf("event %s is read as %s in shard %d, %v; want shard %d", event, parsed, parsed.Shard(), err, shard)
		}
	}
	if len(used) != dispatcher.Shards {
		t.Errorf("2000 orders use %d of %d shards", len(used), dispatcher.Shards)
	}
	// The parts are kept apart: "ab"+"c" is not "a"+"bc".
	a, b := dispatcher.OrderRef{Merchant: "ab", OrderID: "c"}, dispatcher.OrderRef{Merchant: "a", OrderID: "bc"}
	if a.Shard() == b.Shard() {
		t.Errorf("%v and %v share shard %d", a, b, a.Shard())
	}
}

var uuidV7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestIDsAreSortableUUIDs(t *testing.T) {
	t.Parallel()
	lastEvent, lastID := "", ""
	seen := map[string]bool{}
	for i := range 5000 {
		at := noon.Add(time.Duration(i) * time.Microsecond) // within milliseconds, and over their ends
		event := dispatcher.NewEventID(at, i%dispatcher.Shards)
		if !uuidV7.MatchString(event.String()) {
			t.Fatalf("%s is no UUIDv7", event)
		}
		if !event.Time().Equal(at.Truncate(time.Millisecond)) {
			t.Fatalf("%s says %v, want %v", event, event.Time(), at)
		}
		id := dispatcher.NewID(at)
		if dashed := id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]; !uuidV7.MatchString(dashed) {
			t.Fatalf("%s is no UUIDv7 without dashes", id)
		}
		if event.String() <= lastEvent || id <= lastID {
			t.Fatalf("%s after %s, %s after %s", event, lastEvent, id, lastID)
		}
		lastEvent, lastID = event.String(), id
		seen[dispatcher.NewID(noon)], seen[dispatcher.NewEventID(noon, 1).String()] = true, true
	}
	if len(seen) != 10_000 {
		t.Errorf("%d different ids of 10000 made at one instant", len(seen))
	}
}

// An id that cannot be one is not there: nobody needs to know how ids look.
func TestIDsThatCannotBe(t *testing.T) {
	t.Parallel()
	event := dispatcher.NewEventID(noon, 3).String()
	delivery := dispatcher.DeliveryID(dispatcher.OrderRef{Merchant: "acme", OrderID: "1"}, "c", "n")
	for _, id := range []string{"", "x", event[:35], event + "0", strings.ReplaceAll(event, "-", ""), "g" + event[1:],
		strings.Replace(event, "-", "0", 1), "-" + event[1:], strings.Repeat("-", 36), strings.Repeat("é", 18)} {
		if _, err := dispatcher.ParseEventID(id); !errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("event id %q: %v, want ErrNotFound", id, err)
		}
	}
	for _, id := range []string{"", "x", delivery[:30], delivery + "00", "g" + delivery[1:], "40" + delivery[2:], "ff" + delivery[2:], event} {
		if _, err := dispatcher.DeliveryShard(id); !errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("delivery id %q: %v, want ErrNotFound", id, err)
		}
	}
}

func FuzzParseEventID(f *testing.F) {
	f.Add(dispatcher.NewEventID(noon, 3).String())
	f.Add("0190A7B2-0000-7000-8000-00000000003F")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := dispatcher.ParseEventID(text)
		if err != nil {
			if !errors.Is(err, dispatcher.ErrNotFound) {
				t.Fatalf("%q: %v, want ErrNotFound", text, err)
			}
			return
		}
		if !strings.EqualFold(id.String(), text) || id.Shard() < 0 || id.Shard() >= dispatcher.Shards {
			t.Fatalf("%q is read as %s in shard %d", text, id, id.Shard())
		}
	})
}

func FuzzDeliveryShard(f *testing.F) {
	f.Add(dispatcher.DeliveryID(dispatcher.OrderRef{Merchant: "acme", OrderID: "1"}, "c", "n"))
	f.Add("3F")
	f.Add(strings.Repeat("0", 32))
	f.Fuzz(func(t *testing.T, text string) {
		shard, err := dispatcher.DeliveryShard(text)
		if err != nil && !errors.Is(err, dispatcher.ErrNotFound) {
			t.Fatalf("%q: %v, want ErrNotFound", text, err)
		}
		if err == nil && (shard < 0 || shard >= dispatcher.Shards || len(text) != 32 || strings.Trim(strings.ToLower(text), "0123456789abcdef") != "") {
			t.Fatalf("%q is in shard %d", text, shard)
		}
	})
}

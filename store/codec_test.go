package store_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// somebodysDelivery has something in every member that a delivery may have something in.
func somebodysDelivery(t tb) dispatcher.Delivery {
	at := func(ms int) time.Time { return began.Add(time.Duration(ms)*time.Millisecond + 123*time.Nanosecond) }
	return dispatcher.Delivery{
		ID: "2f0190a0b0c0d070008000000000000f", Merchant: "acme", Channel: "web", OrderID: "100042", OrderVersion: 3,
		ChangeID: "0190a0b0c0d07000800000000000000e", NotificationID: "0190a0b0c0d07000800000000000000f", Registered: at(1),
		AdapterID: "erp", Reference: "export", Scope: []string{"state.completed", "/cart/total"},
		Evidence: []dispatcher.Evidence{
			{Scope: "state.completed", Pointer: "/state/currentStatus", Before: parse(t, `"created"`), After: parse(t, `"completed"`)},
			{Scope: "/cart/total", Pointer: "/cart/total", After: parse(t, `{"a&b":93.0900}`)},
			{Scope: "cart", Pointer: "/cart", Truncated: true},
		},
		Format: "norce", Options: parse(t, `{"version":"v1"}`), Ordering: dispatcher.OrderingStrict, Created: at(2), ExpiresAt: at(3),
		Status: dispatcher.StatusParked, Reason: dispatcher.ReasonStatus5xx, StatusCode: 503, Attempts: 4, Counted: 3, NextAttemptAt: at(4),
		NextTrigger: dispatcher.TriggerAutomatic, Lone: true, WasDelivered: true, SettledAt: at(5), Test: true, Erased: true,
		Target: "https://erp.example.com", ParkedAt: at(6), ParkedFor: dispatcher.ParkTrouble, Pass: true, Generation: 0xabcdef, ClaimedAt: at(7),
	}
}

// What Record answers is what a Read would find.
func TestADeliveryReadsBackAsItIsHeld(t *testing.T) {
	t.Parallel()
	full := somebodysDelivery(t)
	if v := reflect.ValueOf(full); true {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s is not set: its round trip is not tested", v.Type().Field(i).Name)
			}
		}
	}
	other := full
	other.Ordering, other.NextTrigger, other.Status = dispatcher.OrderingNone, dispatcher.TriggerReplay, dispatcher.StatusPending
	for name, d := range map[string]dispatcher.Delivery{
		"full": full, "other words": other, "bare": {ID: full.ID, Status: dispatcher.StatusDelivered, Ordering: "latest", NextTrigger: "manual"},
	} {
		for _, revision := range []int{1, 1<<24 - 1, 1 << 24} { // the last is told as 0
			record, held, err := store.EncodeDelivery(d, revision)
			if err != nil {
				t.Fatal(err)
			}
			read, err := store.DecodeDelivery(d.ID, record)
			if err != nil || !reflect.DeepEqual(read, held) {
				t.Errorf("%s, %v:\n read %+v\n held %+v", name, err, read, held)
			}
			if read.Revision() != revision%(1<<24) || !read.Registered.Equal(d.Registered.Truncate(time.Microsecond)) {
				t.Errorf("%s: revision %x of %x, registered %s of %s", name, read.Revision(), revision, read.Registered, d.Registered)
			}
		}
	}
}

// What was kept before there was CBOR, and what is broken, is an error and no delivery.
func TestRecordsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good, _, err := store.EncodeDelivery(somebodysDelivery(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	const head = "00000100002ap1772366400000"
	for name, record := range map[string]string{
		"nothing": "", "a head alone": head, "a head that ends too soon": head[:25], "cut off": good[:len(good)-1], "trailing bytes": good + "x",
		"JSON":                   head + `{"m":"acme","c":"web","o":"1","v":1,"h":"x","n":"n1","k":["state.created"],"f":"norce","l":"strict","t":1772366400000}`,
		"a sign in the revision": "000001-0002a" + good[12:], "an unknown status": good[:12] + "w" + good[13:],
		"evidence that is no JSON": head + "\xa1\x0b\x81\xa1\x03\x41{",
	} {
		if held, err := store.DecodeDelivery("2f", record); err == nil || held.ID != "" {
			t.Errorf("%s: %+v, %v", name, held, err)
		}
	}
	for name, packed := range map[string]string{"nothing": "", "JSON": `p{"i":1,"t":1772366400000}`, "an unknown kind": "x\xa0", "no map": "p\x01"} {
		if a, err := store.DecodeAttempt(dispatcher.EventID{}, []byte(packed)); err == nil {
			t.Errorf("event of %s: %+v", name, a)
		}
		if snap, err := store.DecodeSnapshot([]byte(packed)); err == nil {
			t.Errorf("snapshot of %s: %+v", name, snap)
		}
	}
}

// A newer Tidings may write more than this one knows.
func TestMembersThatAreNotKnownArePassedOver(t *testing.T) {
	t.Parallel()
	a, err := store.DecodeAttempt(dispatcher.EventID{}, []byte("p\xa3\x01\x02\x18\x63\x82\x01\x02\x03\x1a\x00\x01\x00\x00"))
	if err != nil || a.Number != 2 || a.At.UnixMilli() != 1<<16 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnAnswerThatIsNoUTF8CanBeTold(t *testing.T) {
	t.Parallel()
	header := map[string]string{"X-Name": "Ren\xe9", "X-City": "G\xe4vle", "Server": "nginx"}
	packed, err := store.EncodeAttempt(dispatcher.Attempt{At: began, Header: header, Body: []byte{0xff, 0x00, '<'}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := store.DecodeAttempt(dispatcher.EventID{}, packed)
	want := map[string]string{"X-Name": "Ren\uFFFD", "X-City": "G\uFFFDvle", "Server": "nginx"}
	if err != nil || !reflect.DeepEqual(a.Header, want) || !bytes.Equal(a.Body, []byte{0xff, 0x00, '<'}) {
		t.Errorf("%+v, %v", a, err)
	}
	if header["X-Name"] != "Ren\xe9" {
		t.Error("the caller's header was changed")
	}
}

func FuzzDecodeDelivery(f *testing.F) {
	for _, d := range []dispatcher.Delivery{somebodysDelivery(f), {Status: dispatcher.StatusPending, Ordering: dispatcher.OrderingNone}} {
		record, _, err := store.EncodeDelivery(d, 1)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record string) {
		h, err := store.DecodeDelivery("2f", record)
		if err != nil {
			return
		}
		first, held, err := store.EncodeDelivery(h.Delivery, h.Revision())
		if err != nil {
			t.Fatal(err)
		}
		read, err := store.DecodeDelivery("2f", first)
		if err != nil {
			t.Fatal(err)
		}
		again, heldAgain, err := store.EncodeDelivery(read.Delivery, read.Revision())
		if err != nil || again != first {
			t.Errorf("%q became %q, %v", first, again, err)
		}
		if heldAgain.Revision() != held.Revision() || !heldAgain.ClaimedAt.Equal(held.ClaimedAt) || heldAgain.Status != held.Status {
			t.Errorf("held %+v, then %+v", held, heldAgain)
		}
	})
}

func FuzzDecodeAttempt(f *testing.F) {
	packed, err := store.EncodeAttempt(dispatcher.Attempt{
		Number: 1, Trigger: dispatcher.TriggerManual, At: began, Method: "PUT", URL: "https://erp.example.com:8443/a", HeaderNames: []string{"X-Api-Key"},
		StatusCode: 503, Header: map[string]string{"Retry-After": "5", "X-Name": "\xff"}, Body: []byte("busy"), Truncated: true, Duration: time.Second,
		RemoteAddress: "192.0.2.7:443", Sent: dispatcher.SentUnknown, Reason: dispatcher.ReasonStatus5xx, WillRetry: true, NextAttemptAt: began,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte("p\xa0"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		a, err := store.DecodeAttempt(dispatcher.EventID{}, packed)
		if err != nil {
			return
		}
		first, err := store.EncodeAttempt(a)
		if err != nil {
			t.Fatal(err)
		}
		read, err := store.DecodeAttempt(dispatcher.EventID{}, first)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := store.EncodeAttempt(read); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%q became %q, %v", first, again, err)
		}
	})
}

func FuzzDecodeSnapshot(f *testing.F) {
	packed, err := store.EncodeSnapshot(snapshotOf(f, sizedOrder(rand.New(rand.NewPCG(1, 1)), "created")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte("p\xa0"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		snap, err := store.DecodeSnapshot(packed)
		if err != nil {
			return
		}
		first, err := store.EncodeSnapshot(snap)
		if err != nil {
			t.Fatal(err)
		}
		read, err := store.DecodeSnapshot(first)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := store.EncodeSnapshot(read); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%q became %q, %v", first, again, err)
		}
	})
}

func snapshotOf(t tb, document string) dispatcher.Snapshot {
	return dispatcher.Snapshot{
		Order: dispatcher.Order{Merchant: "acme", ID: "100042", Channel: "web", Version: 3, Document: parse(t, document), Created: began, Modified: began},
		Notifications: []dispatcher.PublicNotification{
			{ID: "n1", AdapterID: "erp", Reference: "r", Description: "d", Scope: parse(t, `"/cart"`), Schema: parse(t, `{"const":1.0}`), Invoke: "https://e.example/", Version: "v1"},
			{ID: "n2", Scope: parse(t, `{"state":["*"]}`), Invoke: "https://e.example/?t=******"},
		},
	}
}

// The order is kept as its adapter wrote it: numbers, escapes, unknown members, their order.
func TestASnapshotKeepsTheOrderAsWritten(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`{"total":93.09000000,"e":1E+2,"z":null,"a":{"\u0062":"caf\u00e9 \/ é","":[{},[]]},"x&y":"<b>"}`, `[]`, `null`, `"text"`,
		sizedOrder(rand.New(rand.NewPCG(1, 1)), "created"), `{"items":[` + strings.Repeat(`{"name":"Cotton shirt"},`, 1000) + `1]}`,
	} {
		snap := snapshotOf(t, document)
		packed, err := store.EncodeSnapshot(snap)
		if err != nil {
			t.Fatal(err)
		}
		read, err := store.DecodeSnapshot(packed)
		if err != nil || string(read.Order.Document.JSON()) != document {
			t.Errorf("%s: %v\n%s", document, err, read.Order.Document.JSON())
		}
		read.Order.Document, snap.Order.Document = scope.Value{}, scope.Value{}
		if !reflect.DeepEqual(read, snap) {
			t.Errorf("\n read %+v\n want %+v", read, snap)
		}
	}
}

func BenchmarkDelivery(b *testing.B) {
	d := somebodysDelivery(b)
	d.Evidence, d.Options = d.Evidence[:1], scope.Value{} // as most are
	record, _, err := store.EncodeDelivery(d, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := store.EncodeDelivery(d, 1); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(record)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.DecodeDelivery(d.ID, record); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	snap := snapshotOf(b, sizedOrder(rand.New(rand.NewPCG(1, 1)), "created"))
	packed, err := store.EncodeSnapshot(snap)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.EncodeSnapshot(snap); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(packed)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.DecodeSnapshot(packed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAttempt(b *testing.B) {
	a := dispatcher.Attempt{
		Number: 1, Trigger: dispatcher.TriggerAutomatic, At: began, Method: "POST", URL: "https://erp.example.com/orders?token=******",
		StatusCode: 200, Header: map[string]string{"Content-Type": "application/json", "Content-Length": "200", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
		Body: []byte(`{"received":"` + strings.Repeat("9f8a7b6c5d4e3f21", 11) + `"}`), Duration: 12 * time.Millisecond, RemoteAddress: "192.0.2.7:443",
		Sent: dispatcher.SentYes, Outcome: dispatcher.Delivered,
	}
	packed, err := store.EncodeAttempt(a)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.EncodeAttempt(a); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(packed)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.DecodeAttempt(dispatcher.EventID{}, packed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

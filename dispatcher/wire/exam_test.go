package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// TestFormats examines every format that a notification may ask for; one that is added is examined by itself. Its
// golden body lies beside its own test.
func TestFormats(t *testing.T) {
	t.Parallel()
	names := wire.Names()
	if !slices.Contains(names, "norce") || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("names %v, want a sorted list without repetitions that has norce", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := format(t, name)
			if f.Name() != name {
				t.Errorf("the format found as %s calls itself %s", name, f.Name())
			}
			exam(t, f)
		})
	}
	if _, err := wire.Lookup("no-such-format"); err == nil {
		t.Error("a format that there is not is found")
	}
}

// exam is what every format must pass.
func exam(t *testing.T, f wire.Format) {
	t.Helper()
	t.Run("the same message gives the same bytes", func(t *testing.T) {
		t.Parallel()
		document := read(t, "norce.order.json")
		m := message(t, f.Name(), document)
		first := render(t, f, m)
		if len(first.Body) == 0 || first.Header.Get("Content-Type") == "" {
			t.Fatalf("body of %d bytes, header %v", len(first.Body), first.Header)
		}
		for range 20 { // the order of a map would show
			again := m
			again.Snapshot.Order.Document = value(t, document) // as a later attempt reads it from the store
			if r := render(t, f, again); !reflect.DeepEqual(r, first) {
				t.Fatalf("rendered again:\n%v %s\nwant\n%v %s", r.Header, r.Body, first.Header, first.Body)
			}
		}
	})
	t.Run("no secrets", func(t *testing.T) {
		t.Parallel()
		noSecrets(t, render(t, f, message(t, f.Name(), read(t, "norce.order.json"))))
	})
	for _, hostile := range hostileOrders {
		t.Run(hostile.name, func(t *testing.T) {
			t.Parallel()
			m := message(t, f.Name(), []byte(hostile.document))
			r, err := f.Render(m)
			if err != nil {
				return // a format may refuse an order that lacks what it needs; the delivery then says so
			}
			noSecrets(t, r)
			body := value(t, r.Body) // one JSON value, and within our own limits
			if len(r.Body) > wire.MaxBodyBytes {
				t.Errorf("%d bytes, more than %d", len(r.Body), wire.MaxBodyBytes)
			}
			kept(t, body, m.Snapshot.Order.Document, r.Body)
		})
	}
}

var hostileOrders = []struct{ name, document string }{
	{"empty", `{}`},
	{"null in the places of everything", `{"id":null,"merchant":null,"state":null,"cart":null,"items":null,"reference":null}`},
	{"wrong types everywhere", `{"id":[1],"state":"completed","payments":{"a":1},"shippings":7,"customer":[],"cart":"x","items":{}}`},
	// 63 arrays in the order's object: the deepest that scope.Parse takes. A format may wrap no order that it was given
	// into something that is too deep for its receiver by our doing; norce puts nothing around it.
	{"nested to the limit", `{"deep":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`},
	{"a huge string", `{"reference":"` + strings.Repeat("x", 900_000) + `"}`},
	{"a huge name", `{"` + strings.Repeat("n", 900_000) + `":1}`},
	{"many members", manyMembers()},
	{"numbers keep their text", `{"total":{"includingVat":93.09000000,"a":1E+2,"b":-0.0,"c":1e400,"d":12345678901234567890123}}`},
	{"no HTML escapes", `{"reference":"a&b <c> 'd'","tracking":"https://h/?a=1&b=2","<&>":1}`},
	{"every control character", `{"reference":"\u0000\u0001\u001f\u007f\u2028\u2029\ufeff\"\\"}`},
	{"names of ours", `{"deliveryId":1,"notificationId":2,"webhook-id":3,"metadata":{"message_id":4},"order":{"order":{}}}`},
}

func manyMembers() string {
	var b strings.Builder
	b.WriteString(`{"m0":0`)
	for i := 1; i < 50_000; i++ {
		b.WriteString(`,"m` + strconv.Itoa(i) + `":` + strconv.Itoa(i))
	}
	return b.String() + "}"
}

func noSecrets(t *testing.T, r wire.Rendered) {
	t.Helper()
	var all bytes.Buffer
	_ = r.Header.Write(&all)
	all.Write(r.Body)
	for _, secret := range []string{headerSecret, "h3ader-secret", queryToken, signingSecret, "c2lnbmluZy1zM2NyZXQ"} {
		if bytes.Contains(all.Bytes(), []byte(secret)) {
			t.Errorf("%q is in the body or its headers", secret)
		}
	}
}

// kept sees that whatever the body holds of the order's members stands there as written: no number is calculated, no
// character escaped that was not.
func kept(t *testing.T, body, document scope.Value, raw []byte) {
	t.Helper()
	for _, escape := range []string{`\u0026`, `\u003c`, `\u003e`, `\u0027`} {
		if bytes.Contains(raw, []byte(escape)) {
			t.Errorf("%s is in the body, and was not in the order", escape)
		}
	}
	for _, m := range document.Members() {
		if got := body.Member(m.Name); !got.IsAbsent() && scope.Equal(got, m.Value) && !bytes.Equal(got.JSON(), m.Value.JSON()) {
			t.Errorf("%.40s is sent as %.80s, written %.80s", m.Name, got.JSON(), m.Value.JSON())
		}
	}
	if !json.Valid(raw) {
		t.Error("the standard library does not take the body")
	}
}

package wire_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// way is one of the ways in which a format may be asked for.
type way struct {
	options string
	order   string // where in the body the order stands as written: a pointer, or none
}

const none = "none"

// ways has every format, in each form that its options give it.
var ways = map[string][]way{
	"norce":       {{"", ""}, {`{"version":"v1"}`, ""}},
	"fbpi":        {{"", none}, {`{"eventType":"FBPO::PO_SYNC","projectCode":"p&<q>","destinationId":"d"}`, none}},
	"probo":       {{"", none}, {`{"message":"news & <more>"}`, none}},
	"fatpay":      {{`{"partnerId":"p"}`, "/order"}, {`{"partnerId":"p","wrap":false}`, ""}},
	"cloudevents": {{"", "/data"}, {`{"mode":"binary","source":"https://h/a?b=1&c=2","type":"a&<b> é"}`, ""}},
	"thin":        {{"", none}},
}

// TestFormats examines every format that a notification may ask for; one that is added is not passed over. Its golden
// body lies beside its own test.
func TestFormats(t *testing.T) {
	t.Parallel()
	names := wire.Names()
	if !slices.Contains(names, "norce") || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("names %v, want a sorted list without repetitions that has norce", names)
	}
	for _, name := range names {
		f := format(t, name)
		if f.Name() != name {
			t.Errorf("the format found as %s calls itself %s", name, f.Name())
		}
		if len(ways[name]) == 0 {
			t.Errorf("%s is not examined: it has no ways", name)
		}
		for _, w := range ways[name] {
			t.Run(name+w.options, func(t *testing.T) {
				t.Parallel()
				exam(t, f, w)
			})
		}
	}
	if _, err := wire.Lookup("no-such-format"); err == nil {
		t.Error("a format that there is not is found")
	}
}

// exam is what every format must pass.
func exam(t *testing.T, f wire.Format, w way) {
	t.Helper()
	t.Run("the same message gives the same bytes", func(t *testing.T) {
		t.Parallel()
		document := read(t, "norce.order.json")
		m := with(t, message(t, f.Name(), document), w.options)
		first := render(t, f, m)
		if len(first.Body) == 0 || first.Header.Get("Content-Type") == "" {
			t.Fatalf("body of %d bytes, header %v", len(first.Body), first.Header)
		}
		for name := range first.Header {
			if http.CanonicalHeaderKey(name) != name {
				t.Errorf("the header %s is not spelled as http.Header finds it", name)
			}
		}
		for range 20 { // the order of a map would show
			again := with(t, m, w.options)
			again.Snapshot.Order.Document = value(t, document) // as a later attempt reads it from the store
			if r := render(t, f, again); !reflect.DeepEqual(r, first) {
				t.Fatalf("rendered again:\n%v %s\nwant\n%v %s", r.Header, r.Body, first.Header, first.Body)
			}
		}
	})
	t.Run("no secrets", func(t *testing.T) {
		t.Parallel()
		noSecrets(t, render(t, f, with(t, message(t, f.Name(), read(t, "norce.order.json")), w.options)))
	})
	for _, hostile := range hostileOrders {
		t.Run(hostile.name, func(t *testing.T) {
			t.Parallel()
			m := with(t, message(t, f.Name(), []byte(hostile.document)), w.options)
			if r, err := f.Render(m); err == nil { // a format may refuse an order that lacks what it needs
				sound(t, w, m, r)
			}
			// A status is all that any of them needs.
			m.Snapshot.Order.Document = m.Snapshot.Order.Document.With("state", value(t, []byte(`{"currentStatus":"<a>_&\u0000"}`)))
			r := render(t, f, m)
			sound(t, w, m, r)
			m.Snapshot.Order.Document = m.Snapshot.Order.Document.Clone().Folded() // as attempts have it
			if folded := render(t, f, m); !reflect.DeepEqual(folded, r) {
				t.Errorf("folded:\n%.2000s\nwant\n%.2000s", folded.Body, r.Body)
			}
		})
	}
}

var hostileOrders = []struct{ name, document string }{
	{"empty", `{}`},
	{"null in the places of everything", `{"id":null,"merchant":null,"state":null,"cart":null,"items":null,"reference":null}`},
	{"wrong types everywhere", `{"id":[1],"state":"completed","payments":{"a":1},"shippings":7,"customer":[],"cart":"x","items":{}}`},
	// 63 arrays in the order's object: the deepest that scope.Parse takes.
	{"nested to the limit", `{"deep":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`},
	{"a huge string", `{"reference":"` + strings.Repeat("x", 900_000) + `"}`},
	{"a huge name", `{"` + strings.Repeat("n", 900_000) + `":1}`},
	{"many members", manyMembers()},
	{"numbers keep their text", `{"total":{"includingVat":93.09000000,"a":1E+2,"b":-0.0,"c":1e400,"d":12345678901234567890123}}`},
	{"no HTML escapes", `{"reference":"a&b <c> 'd'","tracking":"https://h/?a=1&b=2","<&>":1}`},
	{"every control character", `{"reference":"\u0000\u0001\u001f\u007f\u2028\u2029\ufeff\"\\"}`},
	{"what a status callback picks", `{"reference":"a&b <c>","supplier_order_number":2.020E8,"message":"<b>&</b>",
		"status_page_url":"https://h/?a=1&b=2","file":{"id":1.0},
		"shipped_packages":[{"id":"1","tracking_url":"https://h/?a=1&b=<2>","barcode":"&"},null,7,[],{"id":1}]}`},
	{"names of ours", `{"deliveryId":1,"notificationId":2,"webhook-id":3,"metadata":{"message_id":4},"order":{"order":{}}}`},
}

func manyMembers() string {
	var b strings.Builder
	b.WriteString(`{"m0":0`)
	for i := 1; i < 20_000; i++ {
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

// sound sees that a body is one JSON value within our limits, holds no secret, and that whatever it has of the order
// stands there as written: no number is calculated, no character escaped that was not.
func sound(t *testing.T, w way, m wire.Message, r wire.Rendered) {
	t.Helper()
	noSecrets(t, r)
	if !json.Valid(r.Body) {
		t.Error("the standard library does not take the body")
	}
	if len(r.Body) > wire.MaxBodyBytes {
		t.Errorf("%d bytes, more than %d", len(r.Body), wire.MaxBodyBytes)
	}
	for _, escape := range []string{`\u0026`, `\u003c`, `\u003e`, `\u0027`} {
		if bytes.Contains(r.Body, []byte(escape)) {
			t.Errorf("%s is in the body, and was not in the order", escape)
		}
	}
	// An envelope is one level around the order, never more: receivers limit the depth, too.
	body := within(t, r.Body, scope.Limits{MaxDepth: scope.DefaultLimits.MaxDepth + 1})
	whole := scope.Value{}
	if w.order != none {
		at, err := scope.ParsePointer(w.order)
		if err != nil {
			t.Fatal(err)
		}
		whole = body.At(at)
	}
	for _, own := range m.Snapshot.Order.Document.Members() {
		if w.order != none {
			same(t, own, whole.Member(own.Name))
			continue
		}
		for _, part := range []scope.Value{body, body.Member("order")} {
			if got := part.Member(own.Name); !got.IsAbsent() && scope.Equal(got, own.Value) {
				same(t, own, got)
			}
		}
	}
}

func same(t *testing.T, own scope.Member, got scope.Value) {
	t.Helper()
	if got.IsAbsent() || !bytes.Equal(got.JSON(), own.Value.JSON()) {
		t.Errorf("%.40s is sent as %.80s (%s), written %.80s", own.Name, got.JSON(), got.Kind(), own.Value.JSON())
	}
}

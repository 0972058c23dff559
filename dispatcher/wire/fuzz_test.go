package wire_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// Whatever options a format has passed, and whatever order comes: it says what the order lacks, or renders JSON that
// fits, the same every time, with no header that HTTP would not carry and no secret of a notification.
func FuzzRender(f *testing.F) {
	orders := []string{`{}`, `{"state":{"currentStatus":"completed"},"id":7,"created":[],"notifications":"x"}`, `{"state":"completed","items":{"id":1},"cart":{"items":[1,{"id":"a"}]}}`,
		`{"reference":"\r\nX: y","customer":{"shipping":[]},"a":"<&>\u2028"}`, `{"payments":[{"id":1e400}],"fbpi_order_nr":{}}`}
	for name, all := range ways {
		for i, w := range all {
			for _, order := range orders {
				f.Add(name, w.options, order)
			}
			f.Add(name, `{"source":"\r\nX: y","type":"","mode":"binary","version":"v1","partnerId":"a\u0000b"}`, orders[i])
		}
	}
	f.Fuzz(func(t *testing.T, name, options, order string) {
		format, err := wire.Lookup(name)
		document, faults := scope.Parse([]byte(order), scope.Limits{})
		if err != nil || len(faults) > 0 || document.Kind() != scope.KindObject || len(document.Members()) == 0 {
			t.Skip()
		}
		var given scope.Value
		if options != "" {
			if given, faults = scope.Parse([]byte(options), scope.Limits{}); len(faults) > 0 {
				t.Skip()
			}
		}
		for _, fault := range format.CheckOptions(given) {
			if fault.Detail == "" || fault.Pointer != "" && !strings.HasPrefix(fault.Pointer, "/") {
				t.Fatalf("fault %+v of %q", fault, options)
			}
		}
		if len(format.CheckOptions(given)) > 0 || scope.Equal(document, value(t, []byte(`{"state":{"currentStatus":"accepted"}}`))) {
			return
		}
		m := message(t, name, []byte(order))
		m.Delivery.Options = given
		rendered, err := format.Render(m)
		again, errAgain := format.Render(m)
		if (err == nil) != (errAgain == nil) || !bytes.Equal(rendered.Body, again.Body) {
			t.Fatalf("%s of %s: %s, then %s", name, order, rendered.Body, again.Body)
		}
		if err != nil {
			return
		}
		if !json.Valid(rendered.Body) {
			t.Fatalf("%s of %s: %s is no JSON", name, order, rendered.Body)
		}
		for header, values := range rendered.Header {
			for _, v := range values {
				if !httpguts.ValidHeaderFieldName(header) || !httpguts.ValidHeaderFieldValue(v) {
					t.Fatalf("%s with %s: header %q: %q", name, options, header, v)
				}
			}
		}
		for _, secret := range []string{headerSecret, queryToken, signingSecret} {
			if bytes.Contains(rendered.Body, []byte(secret)) && !strings.Contains(order+options, secret) {
				t.Fatalf("%s tells %s", name, secret)
			}
		}
	})
}

package wire_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/wire"
)

// The golden body of norce is in its own test.
func TestGoldenBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ format, options, order, golden, contentType string }{
		{"fbpi", "", "norce.order.json", "fbpi.golden.json", "application/json"},
		{"probo", "", "probo.order.json", "probo.golden.json", "application/json"},
		{"fatpay", `{"partnerId":"p"}`, "fatpay.order.json", "fatpay.golden.json", "application/json"},
		{"fatpay", `{"partnerId":"p","wrap":false}`, "fatpay.order.json", "fatpay-flat.golden.json", "application/json"},
		{"cloudevents", "", "norce.order.json", "cloudevents.golden.json", "application/cloudevents+json; charset=utf-8"},
		{"thin", "", "norce.order.json", "thin.golden.json", "application/json"},
	} {
		t.Run(tt.golden, func(t *testing.T) {
			t.Parallel()
			r := render(t, format(t, tt.format), with(t, message(t, tt.format, read(t, tt.order)), tt.options))
			golden(t, tt.golden, r.Body)
			if want := (http.Header{"Content-Type": {tt.contentType}}); !reflect.DeepEqual(r.Header, want) {
				t.Errorf("header %v, want %v", r.Header, want)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	want := map[string]dispatcher.Retry{"fatpay": {MaxAttempts: 1}} // wire.md §D: sent once
	for _, name := range wire.Names() {
		if got := format(t, name).Retry(); !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: %+v, want %+v", name, got, want[name])
		}
	}
	if n := format(t, "fatpay").Retry().Attempts(); n != 1 {
		t.Errorf("fatpay makes %d attempts", n)
	}
	if got, all := format(t, "fbpi").Retry().Attempts(), len(dispatcher.DefaultSchedule)+1; got != all {
		t.Errorf("fbpi makes %d attempts, want the default ladder's %d", got, all)
	}
}

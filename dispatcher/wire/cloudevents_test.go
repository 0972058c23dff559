package wire_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// cloudEvent is the fixtures' event: their data is the document of the order.
func cloudEvent(t *testing.T, data scope.Value, mode string) wire.Rendered {
	t.Helper()
	m := message(t, "cloudevents", data.JSON())
	m = with(t, m, `{"mode":"`+mode+`","source":"/mycontext","type":"com.example.someevent"}`)
	m.Delivery.ID = "C234-1234-1234"
	m.Snapshot.Order.Modified = time.Date(2018, 4, 5, 19, 31, 0, 0, time.FixedZone("CEST", 2*3600))
	return render(t, format(t, "cloudevents"), m)
}

// ceExtensions are the fixtures' and none of ours.
var ceExtensions = []string{"comexampleextension1", "comexampleothervalue"}

func TestCloudEventsStructuredFixture(t *testing.T) {
	t.Parallel()
	fixture := value(t, read(t, "cloudevents.json")).Member("structured")
	want := fixture.Member("body").Without(ceExtensions...)
	r := cloudEvent(t, want.Member("data"), "structured")
	if got, _ := fixture.Member("headers").Member("content-type").Text(); r.Header.Get("Content-Type") != got || len(r.Header) != 1 {
		t.Errorf("header %v, want only Content-Type: %s", r.Header, got)
	}
	sent := value(t, r.Body)
	if got, _ := sent.Member("subject").Text(); got != "o_yClTSySjyAuuBjmiBlHCjuEcTf" {
		t.Errorf("subject %s", got)
	}
	// The subject and what identifies an order are all that we add.
	bare := sent.Without("subject").With("data", bareData(sent.Member("data")))
	if string(bare.JSON()) != string(want.JSON()) {
		t.Errorf("\n got %s\nwant %s", bare.JSON(), want.JSON())
	}
}

func TestCloudEventsBinaryFixture(t *testing.T) {
	t.Parallel()
	fixture := value(t, read(t, "cloudevents.json")).Member("binary")
	r := cloudEvent(t, fixture.Member("body"), "binary")
	want := http.Header{"Ce-Subject": {"o_yClTSySjyAuuBjmiBlHCjuEcTf"}}
	for _, m := range fixture.Member("headers").Members() {
		text, _ := m.Value.Text()
		want.Set(m.Name, text)
	}
	for _, extension := range ceExtensions {
		want.Del("ce-" + extension)
	}
	for _, name := range fixture.Member("forbidden_headers").Items() {
		if text, _ := name.Text(); text == "" || r.Header.Get(text) != "" {
			t.Errorf("header %q: %q", text, r.Header.Get(text))
		}
	}
	if len(r.Header) != len(want) {
		t.Errorf("header %v, want %v", r.Header, want)
	}
	for name := range want {
		if r.Header.Get(name) != want.Get(name) {
			t.Errorf("%s: %s, want %s", name, r.Header.Get(name), want.Get(name))
		}
	}
	if got := bareData(value(t, r.Body)); string(got.JSON()) != string(fixture.Member("body").JSON()) {
		t.Errorf("\n got %s\nwant %s", got.JSON(), fixture.Member("body").JSON())
	}
}

func bareData(data scope.Value) scope.Value {
	return data.Without("id", "merchant", "channel", "created", "lastModified", "notifications")
}

func TestCloudEventsHeaderEncoding(t *testing.T) {
	t.Parallel()
	vector := value(t, read(t, "cloudevents.json")).Member("header_percent_encoding").Items()[0]
	given, _ := vector.Member("value").Text()
	want, _ := vector.Member("header").Text()
	for text, header := range map[string]string{
		given:           want,
		"a b\"c%d":      "a%20b%22c%25d",
		"!~#&'()+,/:é":  "!~#&'()+,/:%C3%A9", // all of U+0021 to U+007E but quote and percent stay
		"100%25":        "100%2525",          // encoded once, and whole
		"a\r\nb: c\x7f": "a%0D%0Ab:%20c%7F",  // CheckOptions refuses it; no header may break all the same
	} {
		m := with(t, message(t, "cloudevents", []byte(`{"x":1}`)), `{"mode":"binary"}`)
		m.Delivery.Options = m.Delivery.Options.With("type", scope.String(text))
		r := render(t, format(t, "cloudevents"), m)
		if got := r.Header.Get("ce-type"); got != header {
			t.Errorf("%q is sent as %q, want %q", text, got, header)
		}
	}
}

func TestCloudEventsDefaults(t *testing.T) {
	t.Parallel()
	m := message(t, "cloudevents", read(t, "norce.order.json"))
	m.Snapshot.Order.Channel = "a b/ä"
	sent := value(t, render(t, format(t, "cloudevents"), m).Body)
	for name, want := range map[string]string{"specversion": "1.0", "type": "io.tidings.order.changed", "id": deliveryID,
		"source": "/tidings/norce/a%20b%2F%C3%A4", "time": "2019-08-24T14:16:52.382Z"} {
		if got, _ := sent.Member(name).Text(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	// Data is the body of norce, in both modes.
	norce := render(t, format(t, "norce"), m).Body
	if got := sent.Member("data").JSON(); !slices.Equal(got, norce) {
		t.Errorf("\n got %s\nwant %s", got, norce)
	}
	if got := render(t, format(t, "cloudevents"), with(t, m, `{"mode":"binary"}`)).Body; !slices.Equal(got, norce) {
		t.Errorf("\n got %s\nwant %s", got, norce)
	}
}

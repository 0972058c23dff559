package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

func TestNorceBody(t *testing.T) {
	t.Parallel()
	r := render(t, format(t, "norce"), message(t, "norce", read(t, "norce.order.json")))
	golden(t, "norce.golden.json", r.Body)
	if got := r.Header.Get("Content-Type"); got != "application/json" || len(r.Header) != 1 {
		t.Errorf("header %v, want only Content-Type: application/json", r.Header)
	}
}

// The golden file can be written anew by mistake; this cannot.
func TestNorceBodyIsTheOrderAsWritten(t *testing.T) {
	t.Parallel()
	document := read(t, "norce.order.json")
	body := render(t, format(t, "norce"), message(t, "norce", document)).Body
	sent := value(t, body)
	for _, m := range value(t, document).Members() {
		if got := sent.Member(m.Name); !bytes.Equal(got.JSON(), m.Value.JSON()) {
			t.Errorf("%s is sent as %s, written %s", m.Name, got.JSON(), m.Value.JSON())
		}
	}
	for _, text := range []string{`93.09000000`, `1E+2`, `?a=1&b=<2>`, `caf\u00e9 \/ é`} {
		if !bytes.Contains(document, []byte(text)) || !bytes.Contains(body, []byte(text)) {
			t.Errorf("%s is not both in the order and in the body", text)
		}
	}
	var names []string
	for _, m := range sent.Members() {
		names = append(names, m.Name)
	}
	want := "id merchant channel created lastModified reference state culture currency country cart shippings payments " +
		"customer consents validations hooks total attributes notifications" // the skeleton's, notifications last
	if got := strings.Join(names, " "); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// The adapter's own members win: one that writes its own id or dates knows better.
func TestNorceAddsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"id": `"o_yClTSySjyAuuBjmiBlHCjuEcTf"`, "merchant": `"norce"`, "channel": `"1"`,
		"created": `"2019-08-24T14:15:22Z"`, "lastModified": `"2019-08-24T14:16:52.382Z"`,
	}
	for name, added := range all {
		for _, own := range []string{"", `"mine"`, `null`, `17.0`, `{"a":[]}`} {
			document, want := `{"x":1}`, added
			if own != "" {
				document, want = `{"x":1,"`+name+`":`+own+`}`, own
			}
			sent := value(t, render(t, format(t, "norce"), message(t, "norce", []byte(document))).Body)
			if got := string(sent.Member(name).JSON()); got != want {
				t.Errorf("%s: sent %s, want %s", document, got, want)
			}
			for other, text := range all {
				if got := string(sent.Member(other).JSON()); other != name && got != text {
					t.Errorf("%s: %s is %s, want %s", document, other, got, text)
				}
			}
		}
	}
}

// Its own members stand where the adapter wrote them.
func TestNorceKeepsThePlaceOfMembers(t *testing.T) {
	t.Parallel()
	body := render(t, format(t, "norce"), message(t, "norce", []byte(`{"x":1,"created":"c","id":"mine","y":{"b":1,"a":2}}`))).Body
	want := `{"merchant":"norce","channel":"1","lastModified":"2019-08-24T14:16:52.382Z","x":1,"created":"c","id":"mine","y":{"b":1,"a":2},"notifications":[`
	if !strings.HasPrefix(string(body), want) {
		t.Errorf("\n got %s\nwant %s...", body, want)
	}
}

// Names are written with no more escapes than JSON asks for, whatever the adapter wrote, and one that needs them gets them.
func TestNorceSpellsNames(t *testing.T) {
	t.Parallel()
	body := render(t, format(t, "norce"), message(t, "norce", []byte(`{"\u0061\"\u000a\/é":1,"notifications":2}`))).Body
	if want := `"a\"\n/é":1,"notifications":[`; !strings.Contains(string(body), want) || strings.Count(string(body), `"notifications"`) != 1 {
		t.Errorf("\n got %s\nwant ...%s...", body, want)
	}
}

func TestNorceNotifications(t *testing.T) {
	t.Parallel()
	m := message(t, "norce", []byte(`{"x":1}`))
	sent := value(t, render(t, format(t, "norce"), m).Body).Member("notifications")
	want := value(t, []byte(`[
		{"id":"ocGooDddTOjKOuFmNnkEozEpfuTh","adapterId":"jetshop_adapter","reference":"PuXCudQEiWTOHvquGGolFUVOuy",
		 "description":"Export payment information to Jetshop when order has been completed.","scope":"/state/currentStatus",
		 "schema":{"const":"completed"},
		 "invoke":"{configuration.adapter.internalUrl}/api/v1/callbacks/orders/{order.id}/specific-callback","version":"v0"},
		{"id":"n2","scope":{"state":["completed"]},"invoke":"https://erp.example.com/api/orders/import?token=******&mode=******"}]`))
	if !scope.Equal(sent, want) {
		t.Errorf("\n got %s\nwant %s", sent.JSON(), want.JSON())
	}
	// None are an empty list, not a missing member.
	m.Snapshot.Notifications = []dispatcher.PublicNotification{}
	if got := value(t, render(t, format(t, "norce"), m).Body).Member("notifications"); string(got.JSON()) != `[]` {
		t.Errorf("no notifications are %s", got.JSON())
	}
}

package receiver_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/receiver"
)

func TestRead(t *testing.T) {
	t.Parallel()
	r := sealed(t, signerV1(t, secret))
	for name, value := range map[string]string{
		"X-Tidings-Event": "e-1", "X-Tidings-Attempt": "3", "X-Tidings-Order": "o-1001", "X-Tidings-Order-Version": "7", "X-Tidings-Test": "true",
		"X-Tidings-Scope": "state.completed,/a%2Cb%25", "X-Merchant": "acme", "X-Channel": "web",
	} {
		r.Header.Set(name, value)
	}
	got, err := v1(secret).Receive(r)
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Message{ID: "d-1", Event: "e-1", Attempt: 3, OrderID: "o-1001", OrderVersion: 7, Scope: []string{"state.completed", "/a,b%"},
		Merchant: "acme", Channel: "web", Test: true, Format: receiver.FormatNorce, Body: body}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if again, _ := io.ReadAll(r.Body); !bytes.Equal(again, body) {
		t.Errorf("the next handler reads %q", again)
	}
}

func TestReadTellsEveryFault(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("X-Tidings-Attempt", "-1")
	r.Header.Set("X-Tidings-Order-Version", "99999999999")
	m, err := receiver.Read(r)
	if !errors.Is(err, receiver.ErrBadHeader) || !strings.Contains(err.Error(), "Attempt") || !strings.Contains(err.Error(), "Order-Version") || string(m.Body) != "{}" {
		t.Errorf("%+v %v", m, err)
	}
	r = httptest.NewRequest(http.MethodPost, "/", io.LimitReader(zeros{}, receiver.MaxBodyBytes+1))
	if m, err := receiver.Read(r); !errors.Is(err, receiver.ErrTooLarge) || len(m.Body) != receiver.MaxBodyBytes {
		t.Error(len(m.Body), err)
	}
	r = httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), broken{}))
	if m, err := receiver.Read(r); !errors.Is(err, io.ErrUnexpectedEOF) || string(m.Body) != "{" {
		t.Error(m, err)
	}
	if m, err := v1(secret).Receive(sealed(t)); !errors.Is(err, receiver.ErrUnsealed) || m.ID != "" {
		t.Error("a Message without a seal is handed out:", m, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRecognise(t *testing.T) {
	t.Parallel()
	golden := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../wire/testdata", name+".golden.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const order = "o_yClTSySjyAuuBjmiBlHCjuEcTf"
	for _, row := range []struct {
		why, contentType string
		headers          []string // name, value, ...
		body             string
		format           receiver.Format
		order            string
	}{
		{why: "as rendered", body: golden("norce"), format: receiver.FormatNorce, order: order},
		{why: "as rendered", body: golden("fbpi"), format: receiver.FormatFBPI, order: order},
		{why: "as rendered", body: golden("probo"), format: receiver.FormatProbo, order: order},
		{why: "as rendered", body: golden("thin"), format: receiver.FormatThin, order: order},
		{why: "wrapped", headers: []string{"X-FP-Partner-Id", "p"}, body: golden("fatpay"), format: receiver.FormatFaTPay, order: order},
		{why: "flat, and like norce's", headers: []string{"X-FP-Partner-Id", "p"}, body: string(body), format: receiver.FormatFaTPay, order: "1001"},
		{why: "as rendered", contentType: "application/cloudevents+json; charset=utf-8", body: golden("cloudevents"), format: receiver.FormatCloudEvents, order: order},
		{why: "an event as plain JSON is data", contentType: "application/json", body: golden("cloudevents"), format: receiver.FormatUnknown},
		{why: "binary: norce's body", headers: []string{"ce-specversion", "1.0", "ce-type", "t", "ce-subject", "a%20b"}, body: golden("norce"), format: receiver.FormatCloudBinary, order: "a b"},
		{why: "an adapter may put probo's members into its order", body: `{"id":7,"merchant":"m","channel":"c","status":"s","message":"m","order":{"id":"x"}}`, format: receiver.FormatNorce, order: "7"},
		{why: "of noon's guide, without ids", body: `{"event_schema_version":1,"event_type":"FBPI::ORDER_CREATED","metadata":{},"payload":{"order_nr":"N1"}}`, format: receiver.FormatFBPI, order: "N1"},
		{why: "no order_nr", body: `{"event_schema_version":1,"event_type":"RETURNS::REFERENCE_UPDATE","metadata":{},"payload":{"barcode":"X"}}`, format: receiver.FormatFBPI},
		{why: "an id that is no text", body: `{"status":"s","message":"m","order":{"id":{}}}`, format: receiver.FormatProbo},
		{why: "no object", body: `[1]`, format: receiver.FormatUnknown},
		{why: "nothing", body: ``, format: receiver.FormatUnknown},
		{why: "no JSON", body: `id=1&merchant=2&channel=3`, format: receiver.FormatUnknown},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(row.body))
		r.Header.Set("Content-Type", row.contentType)
		for i := 0; i < len(row.headers); i += 2 {
			r.Header.Set(row.headers[i], row.headers[i+1])
		}
		m, err := receiver.Read(r)
		if err != nil || m.Format != row.format || m.OrderID != row.order {
			t.Errorf("%s: %s of order %q (%v), want %s of %q", row.why, m.Format, m.OrderID, err, row.format, row.order)
		}
	}
}

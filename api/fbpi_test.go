package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"testing"
)

// What FBPI receivers fetch has the fixture's shapes, from an order in FBPI's own names and from one in the usual ones.
func TestFBPIReceiversFetchTheOrder(t *testing.T) {
	text, err := os.ReadFile("testdata/fbpi.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Order    map[string]any `json:"get_order_response"`
		Customer map[string]any `json:"get_customer_response"`
	}
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	// The fixture's null stands for a reason that is not there: left out here.
	delete(fixture.Order["items"].([]any)[0].(map[string]any), "cancellation_reason_code")
	nr, _ := fixture.Order["fbpi_order_nr"].(string)
	own := map[string]any{"customer_details": fixture.Customer}
	for name, value := range fixture.Order {
		own[name] = value
	}
	ownText, _ := json.Marshal(own)
	usual := `{"reference":"NF123456789","country":"ae","currency":"AED","created":"2026-04-09T08:42:15Z",
		"attributes":{"mp_code":"noon","merchant_code":"STR-12345","warehouse_code":"WH-NOON-001"},
		"customer":{"shipping":{"firstName":"A","lastName":"B","city":"Dubai","state":"Dubai"}},
		"cart":{"items":[{"id":"NFBO123456789-1","sku":"MY-SKU-001","mp_status":"MP_ITEM_STATUS_CONFIRMED",
		"integration_status":"INTEGRATION_ITEM_STATUS_ACKNOWLEDGED","delivered_invoice_price":149.99}]}}`
	each(t, func(t *testing.T, d door) {
		base := "/fbpi/v1/fbpi-order/" + nr
		d.must(t, 404, http.MethodGet, base+"/get", "", "X-Merchant:") // known by the token alone
		d.must(t, 404, http.MethodGet, base+"/get", "")                // receivers ask again until it is known
		for _, document := range []string{string(ownText), usual} {
			if a := d.call(t, http.MethodPut, orders+nr, document, "X-Channel: web"); a.status/100 != 2 {
				t.Fatal(a.status, a.body)
			}
			for path, want := range map[string]map[string]any{"/get": fixture.Order, "/customer-details/get": fixture.Customer} {
				a := d.must(t, 200, http.MethodGet, base+path, "")
				var got map[string]any
				if err := json.Unmarshal([]byte(a.body), &got); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s\n got %v\nwant %v (%v)", path, got, want, err)
				}
			}
		}
	})
}

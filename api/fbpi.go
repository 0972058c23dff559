package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// What an FBPI receiver fetches after an event (noon's FBPI API): the order, and who gets it. The answers are taken from
// the stored order: a member of FBPI's own name wins, then the order's usual ones; docs/formats.md has the table. What
// the order does not have is left out.

// getFBPIOrder answers 404 until the order is known: receivers ask again.
func (s *Server) getFBPIOrder(c *gin.Context) {
	order, err := s.fbpiOrder(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	d := order.Document
	text := func(paths ...string) scope.Value { return firstText(d, paths...) }
	members := []scope.Member{
		{Name: "fbpi_order_nr", Value: scope.String(order.ID)},
		{Name: "mp_code", Value: text("/mp_code", "/attributes/mp_code")},
		{Name: "mp_order_nr", Value: text("/mp_order_nr", "/attributes/mp_order_nr", "/reference")},
		{Name: "mp_country_code", Value: text("/mp_country_code", "/attributes/mp_country_code", "/country")},
		{Name: "customer_country_code", Value: text("/customer_country_code", "/attributes/customer_country_code", "/customer/shipping/country", "/country")},
		{Name: "merchant_code", Value: orText(text("/merchant_code", "/attributes/merchant_code"), order.Merchant)},
		{Name: "currency_code", Value: text("/currency_code", "/attributes/currency_code", "/currency")},
		{Name: "warehouse_code", Value: text("/warehouse_code", "/attributes/warehouse_code")},
		{Name: "order_created_at", Value: orText(text("/order_created_at", "/created"), order.Created.UTC().Format(time.RFC3339))},
		{Name: "items", Value: fbpiItems(d)},
	}
	c.Data(http.StatusOK, "application/json", scope.Object(members...).JSON())
}

func fbpiItems(document scope.Value) scope.Value {
	list := document.Member("items")
	if list.Kind() != scope.KindArray {
		list = document.Member("cart").Member("items")
	}
	items := make([]scope.Value, 0, len(list.Items()))
	for _, item := range list.Items() {
		price := item.Member("delivered_invoice_price")
		if price.Kind() != scope.KindNumber {
			price = scope.Value{}
		}
		items = append(items, scope.Object(
			scope.Member{Name: "mp_item_nr", Value: firstText(item, "/mp_item_nr", "/id")},
			scope.Member{Name: "partner_sku", Value: firstText(item, "/partner_sku", "/sku", "/reference")},
			scope.Member{Name: "mp_status", Value: firstText(item, "/mp_status")},
			scope.Member{Name: "integration_status", Value: firstText(item, "/integration_status")},
			scope.Member{Name: "delivered_invoice_price", Value: price},
			scope.Member{Name: "cancellation_reason_code", Value: firstText(item, "/cancellation_reason_code")},
		))
	}
	return scope.Array(items...)
}

func (s *Server) getFBPICustomer(c *gin.Context) {
	order, err := s.fbpiOrder(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	text := func(fbpi string, usual ...string) scope.Member {
		paths := []string{"/customer_details/" + fbpi, "/customer/" + fbpi}
		for _, name := range usual {
			paths = append(paths, "/customer/shipping/"+name, "/customer/billing/"+name)
		}
		return scope.Member{Name: fbpi, Value: firstText(order.Document, paths...)}
	}
	c.Data(http.StatusOK, "application/json", scope.Object(
		text("first_name", "first_name", "firstName", "givenName"),
		text("last_name", "last_name", "lastName", "familyName"),
		text("city", "city"),
		text("administrative_division", "administrative_division", "state", "region", "province"),
	).JSON())
}

func (s *Server) fbpiOrder(c *gin.Context) (dispatcher.Order, error) {
	state, err := s.loadOrder(c)
	if err == nil && !state.Order.Exists() {
		err = fmt.Errorf("order: %w", dispatcher.ErrNotFound)
	}
	return state.Order, err
}

// firstText is the first of the members that is a text with something in it; absent when there is none.
func firstText(v scope.Value, paths ...string) scope.Value {
	for _, path := range paths {
		at, err := scope.ParsePointer(path)
		if err != nil {
			panic(err) // the paths are written here
		}
		if text, ok := v.At(at).Text(); ok && text != "" {
			return v.At(at)
		}
	}
	return scope.Value{}
}

func orText(v scope.Value, otherwise string) scope.Value {
	if v.IsAbsent() {
		return scope.String(otherwise)
	}
	return v
}

package api_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestDocumentIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	if !c.doc.IsOpenAPI31OrLater() || c.doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi: %s", c.doc.OpenAPI)
	}
	if err := c.doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if before, twice := ids[op.OperationID]; twice || op.OperationID == "" {
				t.Errorf("operationId %q of %s %s is that of %s, too", op.OperationID, method, path, before)
			}
			ids[op.OperationID] = method + " " + path
		}
	}
	// The validator must see a fault, or the call above says nothing.
	c.operation("putNotification").Operation.RequestBody.Value.Content["application/json"].Examples["latest"].Value.Value =
		map[string]any{"url": "https://wms.example.com/", "scope": map[string]any{"shippings": true}}
	if err := c.doc.Validate(t.Context()); err == nil {
		t.Error("an example that breaks its schema goes unnoticed")
	}
}

var ginParameter = regexp.MustCompile(`[:*]([A-Za-z]+)`)

func TestEveryRouteIsDocumentedAndEveryOperationIsARoute(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	engine, ok := c.handler.(*gin.Engine)
	if !ok {
		t.Fatalf("the handler is a %T", c.handler)
	}
	var routes, documented []string
	for _, route := range engine.Routes() {
		routes = append(routes, route.Method+" "+ginParameter.ReplaceAllString(route.Path, "{$1}"))
	}
	for _, op := range c.operations() {
		documented = append(documented, op.Method+" "+op.path)
	}
	slices.Sort(routes)
	slices.Sort(documented)
	for _, route := range routes {
		if !slices.Contains(documented, route) {
			t.Errorf("%s is a route, and not in the document", route)
		}
	}
	for _, op := range documented {
		if !slices.Contains(routes, op) {
			t.Errorf("%s is in the document, and no route", op)
		}
	}
}

// Whoever copies an example from the document gets what it promises.
func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	plain := `{"state":{"currentStatus":"accepted"},"total":93.09}`
	tests := map[string]struct {
		want int
		in   func(order string) map[string]string // prepares, and gives the path parameters
	}{
		"putOrder": {201, func(order string) map[string]string { return map[string]string{"orderId": order} }},
		"patchOrder": {200, func(order string) map[string]string {
			c.do(exchange{id: "putOrder", in: map[string]string{"orderId": order}, body: plain, want: 201})
			return map[string]string{"orderId": order}
		}},
		"postNotification": {201, func(order string) map[string]string { return map[string]string{"orderId": order} }},
		"putNotification": {200, func(order string) map[string]string {
			c.do(exchange{id: "postNotification", in: map[string]string{"orderId": order}, want: 201,
				body: `{"id":"n1","url":"https://wms.example.com/hook","scope":"/cart"}`})
			return map[string]string{"orderId": order, "id": "n1"}
		}},
		"rotateSecret": {200, func(order string) map[string]string {
			c.do(exchange{id: "postNotification", in: map[string]string{"orderId": order}, want: 201,
				body: `{"id":"n1","url":"https://wms.example.com/hook","scope":"/cart","signing":{"scheme":"standard-webhooks"}}`})
			return map[string]string{"orderId": order, "id": "n1"}
		}},
		"putConfiguration": {201, func(string) map[string]string { return map[string]string{"adapterId": "erp"} }},
		"putTarget":        {200, func(string) map[string]string { return map[string]string{"target": "http://x.example.com"} }},
		"norcePutConfiguration": {201, func(string) map[string]string {
			return map[string]string{"merchant": "acme", "channel": "pos", "adapterId": "erp"}
		}},
	}
	number := 0
	for id, op := range c.operations() {
		for name, body := range op.examples(t) {
			if id == "retryEvent" || id == "norceRetryEvent" {
				continue // they need an Event: see TestAnswersAreAsDocumented
			}
			test, ok := tests[id]
			if !ok {
				t.Errorf("%s has examples, and nobody tries them", id)
				continue
			}
			number++
			t.Logf("%s %s", id, name)
			c.do(exchange{id: id, in: test.in("example-" + strconv.Itoa(number)), body: body, header: op.callerHeader(), want: test.want})
		}
	}
}

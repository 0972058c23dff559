package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers"

	"github.com/tidings/tidings/dispatcher"
)

type operation struct {
	*routers.Route
	path string
}

// operations of the document, by operationId.
func (c *contract) operations() map[string]operation {
	all := map[string]operation{}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			route := &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: method, Operation: op}
			all[op.OperationID] = operation{route, path}
		}
	}
	return all
}

func (c *contract) operation(id string) operation {
	c.t.Helper()
	op, ok := c.operations()[id]
	if !ok {
		c.t.Fatalf("no operation %s in the document", id)
	}
	return op
}

// examples of an operation's request body, by name.
func (op operation) examples(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	if op.Operation.RequestBody == nil {
		return all
	}
	for _, media := range op.Operation.RequestBody.Value.Content {
		for name, example := range media.Examples {
			text, err := json.Marshal(example.Value.Value)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(text)
		}
	}
	return all
}

// anyExample of an operation's request body, the same every time; "" when it takes none.
func (op operation) anyExample(t *testing.T) string {
	t.Helper()
	all := op.examples(t)
	if len(all) == 0 {
		return ""
	}
	return all[slices.Min(slices.Collect(maps.Keys(all)))]
}

// at is the value at a path of member names and indexes, as text.
func (a answer) at(t *testing.T, path ...any) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				t.Fatalf("%s has no %v", a.body, path)
			}
			v = list[step]
		case string:
			v = v.(map[string]any)[step]
		}
	}
	return fmt.Sprint(v)
}

// fails calls and wants a problem of this code.
func (c *contract) fails(code string, x exchange) {
	c.t.Helper()
	c.wantCode(c.do(x), code)
}

func (c *contract) wantCode(a answer, code string) {
	c.t.Helper()
	if got := a.at(c.t, "code"); got != code {
		c.t.Errorf("code = %s, want %s", got, code)
	}
}

// anything fills the path parameters with what has the right shape and does not exist.
var anything = map[string]string{
	"orderId": "nowhere", "id": "nothing", "eventId": dispatcher.NewEventID(time.Now(), 3).String(), "adapterId": "nobody",
	"deliveryId": "2af03c5b9d8e4f60718293a4b5c6d7e8", "merchant": "acme", "channel": "web",
	"target": "https://nowhere.example.com",
}

func (op operation) fill() map[string]string {
	in := map[string]string{}
	for name, value := range anything {
		if strings.Contains(op.path, "{"+name+"}") {
			in[name] = value
		}
	}
	return in
}

// operators reports whether an admin token is needed, and no merchant.
func (op operation) operators() bool { return strings.HasPrefix(op.path, v0+"/notifications/targets") }

// callerHeader makes the caller one who may do it.
func (op operation) callerHeader() map[string]string {
	if op.operators() {
		return map[string]string{"Authorization": "Bearer admin"}
	}
	return nil
}

func (op operation) open() bool {
	return op.Operation.Security != nil && len(*op.Operation.Security) == 0
}

package api_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/wire"
)

func TestEnumsAreThoseOfTheDomain(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	constants := map[string][]string{} // type -> values
	inspect(t, filepath.Join("..", "dispatcher", "*.go"), func(_ *token.FileSet, n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return
		}
		name, typed := spec.Type.(*ast.Ident)
		text, literal := spec.Values[0].(*ast.BasicLit)
		if !typed || !literal || text.Kind != token.STRING {
			return
		}
		value, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		constants[name.Name] = append(constants[name.Name], value)
	})
	want := map[string][]string{"Format": wire.Names()}
	for _, name := range []string{"Reason", "Outcome", "Status", "Sent", "Trigger", "Ordering"} {
		want[name] = constants[name]
	}
	var reasons []string
	for _, reason := range dispatcher.Reasons {
		reasons = append(reasons, string(reason))
	}
	same(t, "dispatcher.Reasons", constants["Reason"], reasons)
	for name, values := range want {
		if len(values) == 0 {
			t.Errorf("%s has no values in the source", name)
		}
		same(t, name, c.enum(c.doc.Components.Schemas[name]), values)
	}
	for _, name := range []string{"NotificationInput", "Notification"} {
		same(t, name+".method", c.enum(c.doc.Components.Schemas[name].Value.Properties["method"]), dispatcher.Methods)
	}
}

func (c *contract) enum(schema *openapi3.SchemaRef) (values []string) {
	for _, value := range schema.Value.Enum {
		values = append(values, fmt.Sprint(value))
	}
	return values
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if a, b := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)); !slices.Equal(a, b) {
		t.Errorf("%s: %v in the document, %v in the source", what, a, b)
	}
}

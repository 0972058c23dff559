package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// parse reads a value that must be right.
func parse(t testing.TB, text string) scope.Value {
	t.Helper()
	v, faults := scope.Parse([]byte(text), scope.Limits{})
	if len(faults) > 0 {
		t.Fatalf("Parse(%s): %v", text, faults)
	}
	return v
}

// parseScope reads a scope that must be right; an empty schema is an absent one.
func parseScope(t testing.TB, text, schema string) scope.Scope {
	t.Helper()
	var schemaValue scope.Value
	if schema != "" {
		schemaValue = parse(t, schema)
	}
	s, faults := scope.ParseScope(parse(t, text), schemaValue)
	if len(faults) > 0 {
		t.Fatalf("ParseScope(%s, %s): %v", text, schema, faults)
	}
	return s
}

func pointersOf(faults scope.Faults) string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Pointer)
	}
	return strings.Join(all, " ")
}

func TestParseScopeGivesBackWhatWasRegistered(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ scope, schema string }{
		{`{"state":["completed","declined"]}`, ""},
		{`{"customer":true,"payment":true}`, ""},
		{`{"st\u0061te":["*"]}`, ""}, // a name written with escapes is that name
		{`"/state/currentStatus"`, `{"const":"completed"}`},
		{`"/a~1b"`, `true`},
		{`""`, ""}, // the whole document
		{`"/items/0"`, ""},
	} {
		gotScope, gotSchema := parseScope(t, row.scope, row.schema).JSON()
		if got := string(gotScope.JSON()); got != row.scope {
			t.Errorf("scope = %s, want %s", got, row.scope)
		}
		if gotSchema.IsAbsent() != (row.schema == "") {
			t.Errorf("%s: schema absent = %v", row.scope, gotSchema.IsAbsent())
		} else if got := string(gotSchema.JSON()); row.schema != "" && got != row.schema {
			t.Errorf("schema = %s, want %s", got, row.schema)
		}
	}
}

func TestParseScopeFaults(t *testing.T) {
	t.Parallel()
	many := `["` + strings.Join(strings.Split(strings.Repeat("x", 33), ""), `","`) + `"]`
	for _, row := range []struct{ scope, schema, pointers, says string }{
		{`7`, "", "/scope", "got number"},
		{`null`, "", "/scope", "got null"},
		{`{}`, "", "/scope", "empty"},
		{`{"state":"completed"}`, "", "/scope/state", "expected an array of strings, got string"},
		{`{"state":[]}`, "", "/scope/state", "got 0"},
		{`{"state":["a","b","a"]}`, "", "/scope/state/2", `"a" is in the list already`},
		{`{"state":["","a",3]}`, "", "/scope/state/0 /scope/state/2", "not empty"},
		{`{"state":["a","*"]}`, "", "/scope/state/1", "stands alone"},
		{`{"state":["a\nb"]}`, "", "/scope/state/0", "control"},
		{`{"state":["` + strings.Repeat("x", 129) + `"]}`, "", "/scope/state/0", "128"},
		{`{"payment":false}`, "", "/scope/payment", "leave it out"},
		{`{"payment":1}`, "", "/scope/payment", "expected true, got number"},
		{`{"pay/ment":true}`, "", "/scope/pay~1ment", "unknown member"},
		{`{"payment":true}`, `{}`, "/schema", "leave it out"},
		{`{"state":[1],"cart":0,"x":true}`, `true`, "/scope/state/0 /scope/cart /scope/x /schema", "got number"}, // all at once
		{`"a"`, `{"type":"strin"}`, "/scope /schema/type /schema/type", "JSON Pointer"},
		{`"/a"`, `null`, "/schema", "got null"}, // a null is not left out
		{`"/a"`, `[]`, "/schema", "got array"},
	} {
		var schema scope.Value
		if row.schema != "" {
			schema = parse(t, row.schema)
		}
		_, faults := scope.ParseScope(parse(t, row.scope), schema)
		if got := pointersOf(faults); got != row.pointers {
			t.Errorf("ParseScope(%s, %s) faults at %q, want %q", row.scope, row.schema, got, row.pointers)
		}
		if !strings.Contains(faults.Error(), row.says) {
			t.Errorf("ParseScope(%s, %s) = %q, want it to say %q", row.scope, row.schema, faults, row.says)
		}
	}
	_, faults := scope.ParseScope(parse(t, `{"state":`+strings.ReplaceAll(many, `"x"`, `1`)+`}`), scope.Value{})
	if len(faults) != 34 {
		t.Errorf("33 wrong statuses gave %d faults, want one each and one for their number", len(faults))
	}
	if _, faults := scope.ParseScope(scope.Value{}, scope.Value{}); pointersOf(faults) != "/scope" {
		t.Errorf("no scope: faults at %q", pointersOf(faults))
	}
}

const (
	orderBefore = `{"id":"1","state":{"currentStatus":"processing"},"payments":[{"amount":10.0}],"shippings":[],"cart":{"total":10},"customer":null}`
	orderAfter  = `{"id":"1","state":{"currentStatus":"completed"},"payments":[{"amount":12}],"shippings":[{"id":1}],"cart":{"total":11},"customer":{"name":"A"}}`
	orderSame   = `{"customer":{},"cart":{"total":1e1},"payments":[{"amount":10}],"state":{"currentStatus":"proc\u0065ssing"},"id":"1"}`
)

func TestMatch(t *testing.T) {
	t.Parallel()
	all := `{"customer":true,"cart":true,"shipping":true,"payment":true,"state":["*"]}`
	for _, row := range []struct{ scope, schema, before, after, want string }{
		{all, "", orderBefore, orderAfter, "state.completed payment shipping cart customer"}, // in fixed order, not that of the scope
		{all, "", orderBefore, orderSame, ""},                                                // respelled, nothing changed
		{all, "", "", orderBefore, "state.processing payment cart"},                          // the first version; [] and null are nothing new
		{all, "", orderAfter, "", "payment shipping cart customer"},                          // gone is a change, but there is no new status
		{`{"state":["completed"]}`, "", orderBefore, orderAfter, "state.completed"},
		{`{"state":["completed"]}`, "", orderAfter, orderAfter, ""}, // not "is", but "became"
		{`{"state":["declined"]}`, "", orderBefore, orderAfter, ""},
		{`{"state":["*"]}`, "", `{"state":{"currentStatus":"a"}}`, `{"state":{"currentStatus":1}}`, ""}, // a status is a string
		{`{"state":["*"]}`, "", `{"state":[1]}`, `{"state":"completed"}`, ""},                           // no object to look into
		{`"/state/currentStatus"`, `{"const":"completed"}`, orderBefore, orderAfter, "/state/currentStatus"},
		{`"/state/currentStatus"`, `{"const":"completed"}`, orderAfter, orderBefore, ""},
		{`"/state/currentStatus"`, `{"const":"completed"}`, orderAfter, orderAfter, ""},
		{`"/state/currentStatus"`, `false`, orderBefore, orderAfter, ""},
		{`"/cart/total"`, "", orderBefore, orderAfter, "/cart/total"},
		{`"/cart/total"`, `{"type":"null"}`, orderBefore, `{}`, "/cart/total"}, // absent is validated as null
		{`"/cart/total"`, `{"type":"number"}`, orderBefore, `{}`, ""},
		{`"/cart/total"`, `{"multipleOf":0.1,"maximum":1e300}`, orderBefore, `{"cart":{"total":10.1}}`, "/cart/total"}, // exact, no floats
		{`"/payments/0"`, "", orderBefore, orderAfter, ""},                                                             // never inside an array
		{`""`, "", orderBefore, orderAfter, "/"},
		{`""`, `{"required":["customer"]}`, orderBefore, orderAfter, "/"},
		{`""`, "", orderBefore, orderSame, ""},
		{`"/"`, "", `{"":1}`, `{"":2}`, "/"},
		{`"/a~1b"`, "", `{"a/b":1}`, `{"a/b":2}`, "/a~1b"},
		{`""`, "", `1`, `"x"`, "/"}, // an order of any kind
	} {
		s := parseScope(t, row.scope, row.schema)
		var before, after scope.Value
		if row.before != "" {
			before = parse(t, row.before)
		}
		if row.after != "" {
			after = parse(t, row.after)
		}
		var keys []string
		for _, hit := range s.Match(before, after) {
			keys = append(keys, hit.Key)
			if scope.Equal(hit.Before, hit.After) {
				t.Errorf("%s: hit %s did not change", row.scope, hit.Key)
			}
			if !scope.Equal(after.At(hit.Pointer), hit.After) || !scope.Equal(before.At(hit.Pointer), hit.Before) {
				t.Errorf("%s: hit %s does not hold the values at %s", row.scope, hit.Key, hit.Pointer)
			}
		}
		if got := strings.Join(keys, " "); got != row.want {
			t.Errorf("%s %s: %s -> %s fires %q, want %q", row.scope, row.schema, row.before, row.after, got, row.want)
		}
	}
}

func TestZeroScopeNeverFires(t *testing.T) {
	t.Parallel()
	if hits := (scope.Scope{}).Match(scope.Value{}, parse(t, orderAfter)); hits != nil {
		t.Errorf("fired %v", hits)
	}
}

func ExampleScope_Match() {
	rule, _ := scope.Parse([]byte(`{"state":["completed"],"payment":true}`), scope.Limits{})
	s, faults := scope.ParseScope(rule, scope.Value{})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	before, _ := scope.Parse([]byte(`{"state":{"currentStatus":"accepted"},"total":10}`), scope.Limits{})
	after, _ := scope.Parse([]byte(`{"total":10.00,"state":{"currentStatus":"completed"}}`), scope.Limits{})
	for _, hit := range s.Match(before, after) {
		fmt.Printf("%s: %s -> %s\n", hit.Key, hit.Before.JSON(), hit.After.JSON())
	}
	// Output: state.completed: "accepted" -> "completed"
}

func ExampleDiff() {
	before, _ := scope.Parse([]byte(`{"total":10,"note":null,"cart":{"items":[1,2],"rebate":{"code":"A"}}}`), scope.Limits{})
	after, _ := scope.Parse([]byte(`{"cart":{"items":[1,3]},"total":1e1}`), scope.Limits{})
	for _, pointer := range scope.Diff(before, after) {
		fmt.Println(pointer)
	}
	// Output:
	// /cart/items
	// /cart/rebate/code
}

package scope_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// What is in use stays compiled, however many others come by once, and many or large ones. Not parallel: the cache is one
// for all.
func TestSchemasInUseStayCompiled(t *testing.T) {
	rule := scope.String("/a")
	read := func(text string) {
		if _, faults := scope.ParseScope(rule, parse(t, text)); len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	for name, other := range map[string]string{
		"many": `{"const":"other %d"}`, "large": `{"const":"other %d ` + strings.Repeat("x", 50_000) + `"}`,
	} {
		used := parse(t, `{"properties":{"`+name+`":{"type":"string"}}}`)
		read(string(used.JSON()))
		for i := range 400 {
			for k := range 3 {
				if name == "many" || k == 0 {
					read(fmt.Sprintf(other, 3*i+k))
				}
			}
			// Compiling makes some two hundred allocations.
			if n := allocations(func() { _, _ = scope.ParseScope(rule, used) }); n > 50 {
				t.Fatalf("%s: compiled again after %d others: %d allocations", name, 3*i, n)
			}
		}
	}
}

// allocations is how many something makes the first time.
func allocations(do func()) uint64 {
	var began, ended runtime.MemStats
	runtime.ReadMemStats(&began)
	do()
	runtime.ReadMemStats(&ended)
	return ended.Mallocs - began.Mallocs
}

// What was accepted once is compiled when there is something to validate. Not parallel: it counts allocations.
func TestRegisteredSchemasAreCompiledWhenNeeded(t *testing.T) {
	rule, schema := scope.String("/a"), parse(t, `{"properties":{"registered":{"type":"string"}},"required":["registered"]}`)
	var s scope.Scope
	var faults scope.Faults
	before, other := parse(t, `{"a":1,"b":1}`), parse(t, `{"a":1,"b":2}`)
	if n := allocations(func() { s, faults = scope.RegisteredScope(rule, schema); s.Match(before, other) }); n > 50 || len(faults) > 0 {
		t.Errorf("compiled though the place is as it was: %d allocations, %v", n, faults)
	}
	for after, fires := range map[string]bool{`{"a":{"registered":"x"}}`: true, `{"a":{"registered":1}}`: false, `{"a":{}}`: false} {
		if got := s.Match(before, parse(t, after)) != nil; got != fires {
			t.Errorf("%s: fires = %v", after, got)
		}
	}
	for _, row := range []struct{ scope, schema, why string }{
		{`"a"`, `true`, "no pointer"}, {`{"cart":true}`, `true`, "a schema beside an object"}, {`7`, `true`, "no scope"},
	} {
		if _, faults := scope.RegisteredScope(parse(t, row.scope), parse(t, row.schema)); len(faults) == 0 {
			t.Errorf("%s was read", row.why)
		}
	}
	// One that a later build does not take any more must not lose what it owes.
	bad := parse(t, `{"type":"text"}`)
	if _, faults := scope.ParseScope(rule, bad); len(faults) == 0 {
		t.Error("a bad schema was registered")
	}
	if s, faults := scope.RegisteredScope(rule, bad); len(faults) > 0 || s.Match(scope.Value{}, before) == nil {
		t.Errorf("%v, or did not fire", faults)
	}
}

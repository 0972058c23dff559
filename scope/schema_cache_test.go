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
			var began, ended runtime.MemStats
			runtime.ReadMemStats(&began)
			_, _ = scope.ParseScope(rule, used)
			runtime.ReadMemStats(&ended)
			if n := ended.Mallocs - began.Mallocs; n > 50 {
				t.Fatalf("%s: compiled again after %d others: %d allocations", name, 3*i, n)
			}
		}
	}
}

package scope_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/scope"
)

func TestSchemaRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ schema, pointers, says string }{
		{`{"$ref":"https://example.com/s.json"}`, "/schema", "no other document is loaded"},
		{`{"$ref":"file:///etc/passwd"}`, "/schema", "no other document is loaded"},
		{`{"$ref":"other.json#/a"}`, "/schema", `needs "other.json"`},
		{`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, "/schema", "the schema itself"}, // the library carries this one
		{`{"$schema":"https://example.com/dialect"}`, "/schema", "no other document is loaded"},
		{`{"$ref":"#/$defs/none"}`, "/schema", `"#/$defs/none" not found`},
		{`{"$dynamicRef":"#a","$defs":{"x":{"$dynamicAnchor":"a"}}}`, "/schema", "not supported"},
		{`{"properties":{"a":{"type":"text"},"b":{"minLength":-1}}}`, "", "minLength"}, // both, in any order
		{`{"pattern":"("}`, "/schema/pattern", "missing closing"},
		{`{"pattern":"^(?=a)"}`, "/schema/pattern", "invalid or unsupported Perl syntax"}, // RE2 has no look-ahead
		{`{"pattern":"` + strings.Repeat("(a|b){99}", 60) + `"}`, "/schema/pattern", "too large"},
		{`{"patternProperties":{"(":true}}`, "/schema", "missing closing"},
		{`{"$ref":"#"}`, "/schema", "refers back to itself"},
		{`{"not":{"$ref":"#"}}`, "/schema", "refers back to itself"},
		{`{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/a"}]}},"items":{"$ref":"#/$defs/a"}}`, "/schema/$defs/a", "refers back to itself"},
		{chainOfRefs(70, 1), "/schema", "more than 64"},
		{`{"description":"` + strings.Repeat("x", 64<<10) + `"}`, "/schema", "at most 65536"},
		{`{"enum":[` + strings.Repeat("1,", 4096) + `1]}`, "/schema", "at most 4096"},
		{`{"$id":"urn:a","properties":{"x":{"$id":"urn:a"}}}`, "/schema", "duplicate id"},
	} {
		_, faults := scope.ParseScope(scope.String("/a"), parse(t, row.schema))
		if got := pointersOf(faults); row.pointers != "" && got != row.pointers {
			t.Errorf("%.60s: faults at %q, want %q", row.schema, got, row.pointers)
		}
		if !strings.Contains(faults.Error(), row.says) {
			t.Errorf("%.60s: %q, want it to say %q", row.schema, faults, row.says)
		}
	}
}

// chainOfRefs is a schema of n definitions, each applying the next one so many times.
func chainOfRefs(n, times int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/0","$defs":{`)
	for i := range n {
		ref := fmt.Sprintf(`{"$ref":"#/$defs/%d"}`, i+1)
		fmt.Fprintf(&b, `"%d":{"anyOf":[%s]},`, i, strings.TrimSuffix(strings.Repeat(ref+",", times), ","))
	}
	fmt.Fprintf(&b, `"%d":{"const":"never"}}}`, n)
	return b.String()
}

func TestSchemaHolds(t *testing.T) {
	t.Parallel()
	nested := `{"a":` + strings.Repeat(`{"next":`, 50) + `1` + strings.Repeat(`}`, 50) + `}`
	for _, row := range []struct {
		schema, after string
		fires         bool
	}{
		{`{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}`, `{"a":"s"}`, true},
		{`{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}`, `{"a":1}`, false},
		{`{"$id":"https://example.com/a","$ref":"#x","$defs":{"x":{"$anchor":"x","type":"string"}}}`, `{"a":1}`, false}, // an $id is a name, not an address
		{`{"properties":{"next":{"$ref":"#"}},"type":["object","number"]}`, nested, true},                               // recursion that goes deeper
		{`{"properties":{"next":{"$ref":"#"}},"type":"object"}`, nested, false},
		{`{"format":"email"}`, `{"a":"no address"}`, true}, // 2020-12: an annotation
		{`{"$schema":"http://json-schema.org/draft-07/schema#","format":"email"}`, `{"a":"no address"}`, false},
		{`{"pattern":"^a+$"}`, `{"a":"aaa"}`, true},
		{`{"const":10}`, `{"a":1e1}`, true},
		{`{"dependentSchemas":{"x":{"required":["y"]}},"unevaluatedProperties":false,"patternProperties":{"^[xy]$":true}}`, `{"a":{"x":1,"y":2}}`, true},
		{`{"dependentSchemas":{"x":{"required":["y"]}}}`, `{"a":{"x":1}}`, false},
		{`{"prefixItems":[{"const":1}],"items":{"type":"string"},"contains":{"const":"b"},"uniqueItems":true}`, `{"a":[1,"b"]}`, true},
		{`{"propertyNames":{"maxLength":1}}`, `{"a":{"xx":1}}`, false},
		{`{"if":{"type":"string"},"then":{"minLength":3},"else":false}`, `{"a":"xy"}`, false},
	} {
		s := parseScope(t, `"/a"`, row.schema)
		if fired := s.Match(scope.Value{}, parse(t, row.after)) != nil; fired != row.fires {
			t.Errorf("%s on %.60s: fires = %v, want %v", row.schema, row.after, fired, row.fires)
		}
	}
}

// A schema can double the work with every step. It must neither hang nor swallow the
// change: what is too costly to check fires.
func TestSchemaTooCostly(t *testing.T) {
	t.Parallel()
	both := `{"properties":{"next":{"$ref":"#"}}}`
	nested := `{"a":` + strings.Repeat(`{"next":`, 50) + `1` + strings.Repeat(`}`, 50) + `}`
	long := `{"a":"` + strings.Repeat("ab", 400_000) + `"}`
	for _, row := range []struct{ name, schema, after string }{
		{"on one value", chainOfRefs(30, 2), `{"a":"x"}`},
		{"going deeper", `{"allOf":[` + both + `,` + both + `],"type":"object"}`, nested},
		{"in a text", `{"allOf":[` + strings.TrimSuffix(strings.Repeat(`{"pattern":"(a|b|ab){300}c$"},`, 20), ",") + `]}`, long},
	} {
		s := parseScope(t, `"/a"`, row.schema)
		start := time.Now()
		if s.Match(scope.Value{}, parse(t, row.after)) == nil {
			t.Errorf("%s: did not fire", row.name)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", row.name, took)
		}
	}
	// The same shape, but affordable, is really checked.
	if hits := parseScope(t, `"/a"`, chainOfRefs(10, 2)).Match(scope.Value{}, parse(t, `{"a":"x"}`)); hits != nil {
		t.Errorf("affordable schema fired: %v", hits)
	}
}

// More schemas than the cache holds, from many goroutines: each still answers for itself.
func TestSchemaCache(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 1500 {
				text := fmt.Sprintf(`{"const":%d}`, i)
				s, faults := scope.ParseScope(scope.String("/a"), parse(t, text))
				if len(faults) > 0 {
					t.Errorf("worker %d: %s: %v", worker, text, faults)
					return
				}
				right := scope.Object(scope.Member{Name: "a", Value: scope.Number(fmt.Sprint(i))})
				wrong := scope.Object(scope.Member{Name: "a", Value: scope.Number(fmt.Sprint(i + 1))})
				if s.Match(scope.Value{}, right) == nil || s.Match(scope.Value{}, wrong) != nil {
					t.Errorf("worker %d: %s answers for another schema", worker, text)
				}
			}
		})
	}
	group.Wait()
}

package scope

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxSchemaChain is how many schemas may apply one another to the same value.
const maxSchemaChain = 64

// inspect refuses, when a scope is registered, what the library would only find
// while validating, or not at all:
//
//   - a $ref to one of the meta-schemas, which the library carries and loads
//     although no loader is set;
//   - $dynamicRef and $recursiveRef, which mean something only across documents and
//     whose target is unknown before validating;
//   - a schema that comes back to itself without going deeper into the value, like
//     {"$ref":"#"}. The library notices the circle but then calls every value
//     invalid: the scope would never fire and nobody would know why.
func inspect(root *jsonschema.Schema) Faults {
	in := inspector{seen: map[*jsonschema.Schema]bool{}, chain: map[*jsonschema.Schema]int{}}
	in.reach(root)
	if len(in.faults) > 0 {
		return in.faults
	}
	// Sorted, so that the same schema always gets the same answer.
	all := slices.SortedFunc(maps.Keys(in.seen), func(a, b *jsonschema.Schema) int {
		return strings.Compare(a.Location, b.Location)
	})
	for _, s := range all {
		if in.length(s) > maxSchemaChain {
			in.faults.add("/schema", fmt.Sprintf("more than %d schemas apply one another to the same value", maxSchemaChain))
			break
		}
		if len(in.faults) > 0 {
			break
		}
	}
	return in.faults
}

type inspector struct {
	faults Faults
	seen   map[*jsonschema.Schema]bool
	chain  map[*jsonschema.Schema]int // longest chain from here; 0 while it is being found
}

// reach looks at every schema that can be applied.
func (in *inspector) reach(s *jsonschema.Schema) {
	if s == nil || in.seen[s] {
		return
	}
	in.seen[s] = true
	fragment, own := strings.CutPrefix(s.Location, schemaURL+"#")
	if !own {
		in.faults.add("/schema", fmt.Sprintf("it refers to %q: a $ref must lead to a place in the schema itself (#/...)", s.Location))
		return
	}
	if s.DynamicRef != nil || s.RecursiveRef != nil {
		in.faults.add(schemaPointer(fragment), "$dynamicRef and $recursiveRef are not supported, use $ref")
		return
	}
	for _, next := range appliedHere(s) {
		in.reach(next)
	}
	for _, next := range appliedBelow(s) {
		in.reach(next)
	}
}

// length is that of the longest chain of schemas applied to one value.
func (in *inspector) length(s *jsonschema.Schema) int {
	if s == nil {
		return 0
	}
	if n, ok := in.chain[s]; ok {
		if n == 0 && len(in.faults) == 0 {
			_, fragment, _ := strings.Cut(s.Location, "#")
			in.faults.add(schemaPointer(fragment), "the schema refers back to itself without going deeper into the value, so it can never be decided")
		}
		return n
	}
	in.chain[s] = 0
	longest := 0
	for _, next := range appliedHere(s) {
		longest = max(longest, in.length(next))
	}
	in.chain[s] = longest + 1
	return longest + 1
}

// appliedHere are the schemas that s applies to the same value; some may be nil.
func appliedHere(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}
	all = append(all, s.AllOf...)
	all = append(all, s.AnyOf...)
	all = append(all, s.OneOf...)
	for _, next := range s.DependentSchemas {
		all = append(all, next)
	}
	for _, dependency := range s.Dependencies {
		next, _ := dependency.(*jsonschema.Schema)
		all = append(all, next)
	}
	return all
}

// appliedBelow are the schemas that s applies to members, names or items; some may
// be nil.
func appliedBelow(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems}
	for _, either := range []any{s.AdditionalProperties, s.AdditionalItems, s.Items} {
		switch next := either.(type) {
		case *jsonschema.Schema:
			all = append(all, next)
		case []*jsonschema.Schema:
			all = append(all, next...)
		}
	}
	all = append(all, s.PrefixItems...)
	for _, next := range s.Properties {
		all = append(all, next)
	}
	for _, next := range s.PatternProperties {
		all = append(all, next)
	}
	return all
}

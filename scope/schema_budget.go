package scope

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// budget is what one validation may cost, in about the time the library needs to
// apply one schema to one value (up to a microsecond). Common ones cost less than a
// hundred. Without it, thirty lines of schema, each applying the next one twice,
// would keep the API busy for minutes with every change of the order.
const budget purse = 500_000

// purse is what is left to spend. Paying walks the schema and the value as the
// library will, but takes every branch, so the library never does more. It only
// counts: a walk to the end of the purse takes a few milliseconds.
type purse int

// pay takes off what applying s to v costs, and reports whether it could.
func (p *purse) pay(s *jsonschema.Schema, v any) bool {
	if s == nil {
		return true
	}
	if *p--; *p < 0 {
		return false
	}
	if s.Bool != nil {
		return true
	}
	p.compare(s, v)
	ok := p.pay(s.Ref, v) && p.pay(s.Not, v) && p.pay(s.If, v) && p.pay(s.Then, v) && p.pay(s.Else, v) &&
		p.payAll(s.AllOf, v) && p.payAll(s.AnyOf, v) && p.payAll(s.OneOf, v)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		return p.members(s, v)
	case []any:
		return p.items(s, v)
	case string:
		p.match(s.Pattern, v)
	}
	return *p >= 0
}

func (p *purse) payAll(all []*jsonschema.Schema, v any) bool {
	for _, s := range all {
		if !p.pay(s, v) {
			return false
		}
	}
	return true
}

func (p *purse) members(s *jsonschema.Schema, members map[string]any) bool {
	*p -= purse(len(members)+len(s.Required)) / 4
	for name, next := range s.DependentSchemas {
		if _, ok := members[name]; ok && !p.pay(next, members) {
			return false
		}
	}
	for name, dependency := range s.Dependencies {
		next, _ := dependency.(*jsonschema.Schema)
		if _, ok := members[name]; ok && !p.pay(next, members) {
			return false
		}
	}
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for name, v := range members {
		if !p.pay(s.Properties[name], v) || !p.pay(additional, v) || !p.pay(s.UnevaluatedProperties, v) {
			return false
		}
		if s.PropertyNames != nil && !p.pay(s.PropertyNames, name) {
			return false
		}
		for re, next := range s.PatternProperties {
			p.match(re, name)
			if !p.pay(next, v) {
				return false
			}
		}
	}
	return true
}

func (p *purse) items(s *jsonschema.Schema, items []any) bool {
	*p -= purse(len(items)) / 4
	rest, _ := s.Items.(*jsonschema.Schema)
	first, _ := s.Items.([]*jsonschema.Schema)
	additional, _ := s.AdditionalItems.(*jsonschema.Schema)
	for i, v := range items {
		if i < len(first) && !p.pay(first[i], v) || i < len(s.PrefixItems) && !p.pay(s.PrefixItems[i], v) {
			return false
		}
		if !p.pay(rest, v) || !p.pay(additional, v) || !p.pay(s.Items2020, v) ||
			!p.pay(s.Contains, v) || !p.pay(s.UnevaluatedItems, v) {
			return false
		}
	}
	return true
}

// compare pays for the keywords that compare whole values with one another.
func (p *purse) compare(s *jsonschema.Schema, v any) {
	times := 0
	if s.Const != nil {
		times++
	}
	if s.Enum != nil {
		times += len(s.Enum.Values)
	}
	if s.UniqueItems {
		times += 20 // the library compares each with each up to that many items
	}
	if times > 0 {
		*p -= purse(times * weight(v))
	}
}

// match pays for looking for a regular expression in a text: RE2 takes steps in
// proportion to both sizes.
func (p *purse) match(re jsonschema.Regexp, text string) {
	if sized, ok := re.(pattern); ok {
		*p -= purse(sized.steps * len(text) / 50)
	}
}

// weight is about the number of comparisons that comparing a value takes.
func weight(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			n += weight(member)
		}
	case []any:
		for _, item := range v {
			n += weight(item)
		}
	case string:
		n += len(v) / 1024
	case json.Number:
		n += len(v) / 16 // made a big.Rat
	}
	return n
}

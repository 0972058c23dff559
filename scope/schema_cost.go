package scope

import (
	"encoding/json"
	"math/big"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// pay takes off what applying s to v costs, and reports whether it could. It walks
// the schema and the value as the library will, but takes every branch, so the
// library never does more. It only counts: a walk to the end of a purse takes a few
// milliseconds.
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
		p.text(s, v)
	case json.Number:
		p.number(s, v)
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
	// The library looks at each member, and lists them all where unevaluatedProperties may need it.
	*p -= purse(len(members)+len(s.DependentSchemas)+len(s.Dependencies)+len(s.DependentRequired)) / 2
	p.names(s.Required)
	for name, required := range s.DependentRequired {
		if _, ok := members[name]; ok {
			p.names(required)
		}
	}
	for name, next := range s.DependentSchemas {
		if _, ok := members[name]; ok && !p.pay(next, members) {
			return false
		}
	}
	for name, dependency := range s.Dependencies {
		if _, ok := members[name]; !ok {
			continue
		}
		required, _ := dependency.([]string)
		p.names(required)
		next, _ := dependency.(*jsonschema.Schema)
		if !p.pay(next, members) {
			return false
		}
	}
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for name, v := range members {
		*p -= purse(len(name) / 512)
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
	return *p >= 0
}

// names pays for looking up names that are required.
func (p *purse) names(all []string) {
	cost := len(all)
	for _, name := range all {
		cost += len(name) / 128
	}
	*p -= purse(cost / 4)
}

func (p *purse) items(s *jsonschema.Schema, items []any) bool {
	*p -= purse(len(items)) / 2 // as with members
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
	return *p >= 0
}

// text pays for what depends on a text's length: the library copies it for every
// schema, even one that says nothing of texts, and counts its characters.
func (p *purse) text(s *jsonschema.Schema, text string) {
	*p -= purse(len(text) / 512)
	p.match(s.Pattern, text)
	switch {
	case s.Format == nil:
	case s.Format.Name == "regex": // compiles it
		*p -= purse(20 * len(text))
	default:
		*p -= purse(len(text) / 64)
	}
}

// number pays for exact arithmetic, which takes longer the more digits there are.
func (p *purse) number(s *jsonschema.Schema, n json.Number) {
	size := digits(n)
	cost := size / 32 // to see whether it is an integer
	for _, bound := range []*big.Rat{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		if bound != nil {
			const bitsPerDigit = 3
			cost += 1 + (size+(bound.Num().BitLen()+bound.Denom().BitLen())/bitsPerDigit)/32
		}
	}
	*p -= purse(cost)
}

// digits is about how many a number has when it is written without an exponent.
func digits(n json.Number) int {
	_, exponent := splitExponent(string(n))
	power, _ := strconv.Atoi(exponent) // "" is 0, and Parse bounds the rest
	return len(n) + max(power, -power)
}

// compare pays for the keywords that compare whole values with one another.
func (p *purse) compare(s *jsonschema.Schema, v any) {
	cost := 0
	if s.Const != nil {
		cost += comparing(v, *s.Const)
	}
	if s.Enum != nil {
		for _, value := range s.Enum.Values {
			cost += comparing(v, value)
		}
	}
	if s.UniqueItems {
		cost += 20 * weight(v) // the library compares each with each up to that many items
	}
	*p -= purse(cost)
}

// match pays for looking for a regular expression in a text: RE2 takes steps in
// proportion to both sizes.
func (p *purse) match(re jsonschema.Regexp, text string) {
	if sized, ok := re.(pattern); ok {
		*p -= purse(sized.steps * len(text) / 50)
	}
}

// comparing is about the number of steps that comparing two values takes.
func comparing(a, b any) int {
	n := 1
	switch a := a.(type) {
	case map[string]any:
		b, _ := b.(map[string]any)
		if len(a) != len(b) {
			return n
		}
		for name, member := range a {
			n += 1 + len(name)/512
			if other, ok := b[name]; ok {
				n += comparing(member, other)
			}
		}
	case []any:
		b, _ := b.([]any)
		if len(a) != len(b) {
			return n
		}
		for i, item := range a {
			n += comparing(item, b[i])
		}
	case string:
		n += len(a) / 1024
	case json.Number:
		if b, ok := b.(json.Number); ok {
			n += 1 + (digits(a)+digits(b))/32
		}
	}
	return n
}

// weight is about the number of steps that looking at all of a value takes.
func weight(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			n += len(name)/512 + weight(member)
		}
	case []any:
		for _, item := range v {
			n += weight(item)
		}
	case string:
		n += len(v) / 1024
	case json.Number:
		n += digits(v) / 32 // made a big.Rat
	}
	return n
}

package scope

import "github.com/santhosh-tekuri/jsonschema/v6"

// What validating may cost, in about the time the library needs to apply one schema
// to one small value (up to a microsecond). Common schemas cost less than a hundred.
// Without it, thirty lines of schema, each applying the next one twice, would keep
// the API busy for minutes with every change of the order.
const (
	perSchema purse = 500_000   // of one schema applied to one value
	perChange purse = 1_000_000 // of all that a change is matched against
)

// walked is how many times as long validating takes as finding out what it costs.
const walked = 16

// purse is what is left to spend of a change. A schema that costs more than is left,
// or than perSchema, takes off only what finding that out has cost, so that one
// costly schema does not take from all others what they need.
type purse int

// document is a value as the library wants it.
type document struct {
	value     any
	made      bool
	tooCostly bool
}

// document makes a value ready for the library, which takes longer than most
// schemas: a large order is a hundred thousand allocations.
func (p *purse) document(v Value) document {
	read := purse(len(v.text) / 32) // what is folded is read, perhaps only to be counted
	if *p < read {
		return document{made: true, tooCostly: true}
	}
	*p -= read
	v.node = v.whole()
	made := purse(v.count() / 2)
	if *p < made {
		*p -= made/walked + 1
		return document{made: true, tooCostly: true}
	}
	*p -= made
	return document{value: v.Any(), made: true}
}

// holds reports whether the schema takes the value. One too costly to check counts
// as taken: at-least-once means that a message too many is better than one lost.
func (p *purse) holds(s *jsonschema.Schema, d document) (ok bool) {
	if d.tooCostly || !p.afford(s, d.value) {
		return true
	}
	defer func() {
		if recover() != nil {
			ok = true // as above; no such schema is known
		}
	}()
	return s.Validate(d.value) == nil
}

// afford takes off what applying s to v costs, if it can.
func (p *purse) afford(s *jsonschema.Schema, v any) bool {
	most := min(*p, perSchema)
	left := most
	if !left.pay(s, v) {
		*p -= most/walked + 1
		return false
	}
	*p -= most - left
	return true
}

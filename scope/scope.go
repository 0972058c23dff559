package scope

import (
	"fmt"
	"strings"
	"unicode"
)

// What the list of a state scope may be at most.
const (
	maxStates     = 32
	maxStateBytes = 128
)

// Scope is the rule of one notification: which changes of its order fire it. The
// zero Scope never fires. Scopes come from [ParseScope].
type Scope struct {
	scope, schema Value // as registered

	// The object form.
	states    []string
	anyState  bool
	watchlist []watched

	// The string form.
	byPointer bool
	pointer   Pointer
	validator *validator // nil: any new value will do
}

// watched is a part of the order that fires whenever anything in it changed.
type watched struct {
	key     string
	pointer Pointer
}

// watchable are the keys of an object scope that are just true, in the order in
// which they are reported. The pointers are those of a Norce order.
var watchable = []watched{
	{"payment", Pointer{"/payments"}},
	{"shipping", Pointer{"/shippings"}},
	{"cart", Pointer{"/cart"}},
	{"customer", Pointer{"/customer"}},
}

// currentStatus is where an order says its state.
var currentStatus = Pointer{"/state/currentStatus"}

// JSON gives back the scope and its schema as registered; the schema is absent when
// there was none.
func (s Scope) JSON() (scope, schema Value) { return s.scope, s.schema }

// ParseScope reads the member "scope" of a notification and its sibling "schema",
// which is absent when there is none. The scope has one of two forms.
//
// An object: any of
//
//	state                              1..32 different statuses of 1..128 bytes, or ["*"] for any
//	payment, shipping, cart, customer  true
//
// at least one, no other member, and no schema beside it.
//
// A string: a JSON Pointer (see [ParsePointer]), "" for the whole order, and if
// wanted a JSON Schema: a boolean or an object of at most 64 KiB and 4096 values,
// draft 2020-12 unless its $schema names draft 4, 6, 7 or 2019-09. The schema
// stands alone: every $ref leads into the schema itself. Formats are annotations, as
// the draft has it; regular expressions are those of RE2. A pointer that would lead
// into an array is no fault (an order yet to come is unknown), it just never fires.
//
// The faults name everything wrong at once. Their pointers start at the
// notification: /scope, /scope/state/2, /schema, /schema/properties/a/type.
func ParseScope(scope, schema Value) (Scope, Faults) {
	s, faults := RegisteredScope(scope, schema)
	if s.validator != nil {
		faults = append(faults, s.validator.compile()...)
	}
	if len(faults) > 0 {
		return Scope{}, faults
	}
	return s, nil
}

// RegisteredScope is [ParseScope] for what that has accepted before: the schema is
// compiled when there is something to validate. Should it no longer be one, every new
// value will do.
func RegisteredScope(scope, schema Value) (Scope, Faults) {
	s := Scope{scope: scope, schema: schema}
	var faults Faults
	switch scope.kind {
	case KindObject:
		faults = s.parseObject()
		if !schema.IsAbsent() {
			faults.add("/schema", "a schema goes with a scope that is a JSON Pointer, not with an object: leave it out")
		}
	case KindString:
		faults = s.parsePointer()
	case KindAbsent:
		faults.add("/scope", "a scope is needed: an object or a JSON Pointer")
	default:
		faults.add("/scope", fmt.Sprintf("expected an object or a string with a JSON Pointer, got %s", scope.kind))
	}
	return s, faults
}

func (s *Scope) parsePointer() Faults {
	var faults Faults
	text, _ := s.scope.Text()
	pointer, err := ParsePointer(text)
	if err != nil {
		faults.add("/scope", err.Error())
	}
	s.byPointer, s.pointer = true, pointer
	if !s.schema.IsAbsent() {
		s.validator = &validator{schema: s.schema}
	}
	return faults
}

func (s *Scope) parseObject() Faults {
	var faults Faults
	if len(s.scope.Members()) == 0 {
		faults.add("/scope", "the scope is empty: at least one of state, payment, shipping, cart, customer is needed")
	}
	asked := map[string]bool{}
	for _, m := range s.scope.Members() {
		if m.Name == "state" {
			s.parseStates(&faults, m.Value)
			continue
		}
		asked[m.Name] = parseTrue(&faults, m)
	}
	for _, w := range watchable {
		if asked[w.key] {
			s.watchlist = append(s.watchlist, w)
		}
	}
	return faults
}

// parseTrue reads a member that can only be true.
func parseTrue(faults *Faults, m Member) bool {
	at := "/scope" + string(appendToken(nil, m.Name))
	known := false
	for _, w := range watchable {
		known = known || w.key == m.Name
	}
	b, ok := m.Value.Bool()
	switch {
	case !known:
		faults.add(at, "unknown member: a scope has state, payment, shipping, cart, customer")
	case !ok:
		faults.add(at, fmt.Sprintf("expected true, got %s", m.Value.kind))
	case !b:
		faults.add(at, "expected true: to not watch it, leave it out")
	}
	return b
}

func (s *Scope) parseStates(faults *Faults, v Value) {
	if v.kind != KindArray {
		faults.add("/scope/state", fmt.Sprintf("expected an array of strings, got %s", v.kind))
		return
	}
	if n := len(v.Items()); n < 1 || n > maxStates {
		faults.add("/scope/state", fmt.Sprintf("expected 1 to %d statuses, got %d", maxStates, n))
	}
	seen := map[string]bool{}
	for i, item := range v.Items() {
		at := fmt.Sprintf("/scope/state/%d", i)
		status, ok := item.Text()
		switch {
		case !ok:
			faults.add(at, fmt.Sprintf("expected a string, got %s", item.kind))
		case status == "":
			faults.add(at, "a status is not empty")
		case len(status) > maxStateBytes || strings.ContainsFunc(status, unicode.IsControl):
			faults.add(at, fmt.Sprintf("a status has at most %d bytes and no control characters", maxStateBytes))
		case seen[status]:
			faults.add(at, fmt.Sprintf("%q is in the list already", status))
		case status == "*" && len(v.Items()) > 1:
			faults.add(at, `"*" means any status and stands alone`)
		}
		seen[status] = true
		s.anyState = s.anyState || status == "*"
		s.states = append(s.states, status)
	}
}

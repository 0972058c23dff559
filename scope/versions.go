package scope

import "github.com/santhosh-tekuri/jsonschema/v6"

// Versions are an order before and after a change. Of those that [Compare] makes, each place is read and compared once,
// however many scopes look at it or at what is inside it, made ready for schemas once, and all schemas together have one
// budget: they are for one goroutine.
type Versions struct {
	before, after Value
	places        map[Pointer]*place // nil: nothing is remembered
	purse         *purse             // nil: nobody shares it
}

// place is what a pointer leads to in both versions.
type place struct {
	was, is  Value
	changed  bool
	compared bool
	document document // is, as schemas want it; made when one does
}

// Compare is for matching many scopes against one change.
func Compare(before, after Value) Versions {
	purse := perChange
	return Versions{before: before, after: after, places: map[Pointer]*place{}, purse: &purse}
}

func (v Versions) at(p Pointer) place {
	if v.places == nil {
		was, is := v.before.At(p), v.after.At(p)
		return place{was: was, is: is, changed: !Equal(was, is)}
	}
	at := v.place(p)
	if !at.compared {
		at.compared, at.changed = true, !Equal(at.was, at.is)
	}
	return *at
}

// place is found by the places around it, so that what is folded there is read once for all that is looked at in it.
func (v Versions) place(p Pointer) *place {
	if known, ok := v.places[p]; ok {
		return known
	}
	at := &place{was: v.before, is: v.after}
	if parent, name, ok := p.parent(); ok {
		around := v.place(parent)
		around.was.node, around.is.node = around.was.whole(), around.is.whole()
		at.was, at.is = around.was.Member(name), around.is.Member(name)
	}
	v.places[p] = at
	return at
}

// hold reports whether a compiled schema takes the new value at a place.
func (v Versions) hold(s *jsonschema.Schema, p Pointer, is Value) bool {
	if v.places == nil {
		purse := perChange
		return purse.holds(s, purse.document(is))
	}
	at := v.place(p)
	if !at.document.made {
		at.document = v.purse.document(is)
	}
	return v.purse.holds(s, at.document)
}

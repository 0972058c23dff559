package scope

import "slices"

// Hit is one reason why a change fires a notification.
type Hit struct {
	// Key names the reason in queries and records: "state.<new status>", "payment",
	// "shipping", "cart", "customer", or the pointer of a pointer scope. The pointer
	// of the whole document is empty, and its key is "/" (so is that of the pointer
	// "/", which names a member without a name). A key holds text of the order as it
	// is, whatever its length and characters, so encode it before it goes into a
	// header.
	Key     string
	Pointer Pointer // to the value that changed
	// Before and After are that value in both versions; absent where there was none.
	Before, After Value
}

// Match says why a change from before to after fires, nil when it does not. The
// first version of an order is a change from absent. Changed is meant as in [Equal].
//
// Of an object scope every key that matched is listed, in this order:
//
//	state.<status>  /state/currentStatus changed, and is now a string in the list
//	payment         /payments changed
//	shipping        /shippings changed
//	cart            /cart changed
//	customer        /customer changed
//
// A pointer scope fires when the value at the pointer changed and the schema, if
// there is one, holds for the new value; a value that is gone is validated as null.
// A value too costly to validate (half a million applications of one schema to one
// value) counts as valid.
func (s Scope) Match(before, after Value) []Hit {
	if s.byPointer {
		return s.matchPointer(before, after)
	}
	var hits []Hit
	if len(s.states) > 0 {
		hits = s.matchState(before, after)
	}
	for _, w := range s.watchlist {
		was, is := before.At(w.pointer), after.At(w.pointer)
		if !Equal(was, is) {
			hits = append(hits, Hit{Key: w.key, Pointer: w.pointer, Before: was, After: is})
		}
	}
	return hits
}

func (s Scope) matchState(before, after Value) []Hit {
	was, is := before.At(currentStatus), after.At(currentStatus)
	status, ok := is.Text()
	if !ok || Equal(was, is) || !s.anyState && !slices.Contains(s.states, status) {
		return nil
	}
	return []Hit{{Key: "state." + status, Pointer: currentStatus, Before: was, After: is}}
}

func (s Scope) matchPointer(before, after Value) []Hit {
	was, is := before.At(s.pointer), after.At(s.pointer)
	if Equal(was, is) || s.compiled != nil && !holds(s.compiled, is) {
		return nil
	}
	key := s.pointer.String()
	if key == "" {
		key = "/"
	}
	return []Hit{{Key: key, Pointer: s.pointer, Before: was, After: is}}
}

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
// value, each counted as many times as a long text or number takes longer) counts as
// valid. So does, of the scopes that are matched against the same [Versions], one
// that costs more than what those before it have left of twice that much.
func (s Scope) Match(before, after Value) []Hit {
	return s.MatchVersions(Versions{before: before, after: after})
}

// MatchVersions is [Scope.Match] for who matches many scopes against one change.
func (s Scope) MatchVersions(v Versions) []Hit {
	if s.byPointer {
		return s.matchPointer(v)
	}
	var hits []Hit
	if len(s.states) > 0 {
		hits = s.matchState(v)
	}
	for _, w := range s.watchlist {
		if at := v.at(w.pointer); at.changed {
			hits = append(hits, Hit{Key: w.key, Pointer: w.pointer, Before: at.was, After: at.is})
		}
	}
	return hits
}

func (s Scope) matchState(v Versions) []Hit {
	at := v.at(currentStatus)
	status, ok := at.is.Text()
	if !ok || !at.changed || !s.anyState && !slices.Contains(s.states, status) {
		return nil
	}
	return []Hit{{Key: "state." + status, Pointer: currentStatus, Before: at.was, After: at.is}}
}

func (s Scope) matchPointer(v Versions) []Hit {
	at := v.at(s.pointer)
	if !at.changed || s.compiled != nil && !v.hold(s.compiled, s.pointer, at.is) {
		return nil
	}
	key := s.pointer.String()
	if key == "" {
		key = "/"
	}
	return []Hit{{Key: key, Pointer: s.pointer, Before: at.was, After: at.is}}
}

package wire

import "github.com/tidings/tidings/scope"

// ofKind is the value if it is of that kind, else absent.
func ofKind(v scope.Value, kind scope.Kind) scope.Value {
	if v.Kind() != kind {
		return scope.Value{}
	}
	return v
}

// first is the first value that is there.
func first(values ...scope.Value) scope.Value {
	for _, v := range values {
		if !v.IsAbsent() {
			return v
		}
	}
	return scope.Value{}
}

// orAbsent is the object of these members, absent when all of them are.
func orAbsent(members ...scope.Member) scope.Value {
	if v := scope.Object(members...); len(v.Members()) > 0 {
		return v
	}
	return scope.Value{}
}

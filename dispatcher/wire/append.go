package wire

import "github.com/tidings/tidings/scope"

// The bodies that hold a whole order are written straight away, not put together as a scope.Value first: it would be
// copied twice.

// appendMember appends a member to an object that is open; one whose value is absent is left out.
func appendMember(dst []byte, name string, value scope.Value) []byte {
	if value.IsAbsent() {
		return dst
	}
	return value.AppendJSON(appendName(dst, name))
}

func appendText(dst []byte, name, value string) []byte {
	return scope.AppendString(appendName(dst, name), value)
}

func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' { // no value ends like this
		dst = append(dst, ',')
	}
	return append(scope.AppendString(dst, name), ':')
}

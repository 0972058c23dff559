package scope

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a [Value] is. The zero Kind is [KindAbsent].
type Kind uint8

// The kinds of a value: the six of JSON and "not there".
const (
	KindAbsent Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String is the kind's name in messages: "absent", "null", "boolean", "number",
// "string", "array" or "object".
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindBool:
		return "boolean"
	case KindNumber:
		return "number"
	case KindString:
		return "string"
	case KindArray:
		return "array"
	case KindObject:
		return "object"
	default:
		return "absent"
	}
}

// Member is one name and value of an object. The name is decoded.
type Member struct {
	Name  string
	Value Value
}

// Value is one immutable JSON value, or its absence (the zero Value). It is cheap
// to copy. A value taken out of a parsed document keeps that document's text alive.
type Value struct {
	kind Kind
	// text is a scalar's token as written. For an array or object it is the text
	// it was read from, white space included, and empty for one that was built.
	text string
	// node is what an array or object holds; nil for an empty one, foldedWhole or
	// foldedPart for one that is read when it is asked for. See inner.
	node *node
}

// indexFrom is the number of members from which an object carries an index:
// below it, looking at each name is quicker than hashing one.
const indexFrom = 16

type node struct {
	members []Member
	items   []Value
	// spelled holds, per member, the name as written with its quotes; "" where
	// quoting the name is enough. It is nil when that holds for all.
	spelled []string
	index   map[string]int
	compact bool // the value's text holds no insignificant white space
	// room is about how much memory it takes beside its text, when that is all that was read, or nearly; else 0.
	room int32
}

// find is the place of a member, or -1. hint is where it is likely to be: two
// versions of an order mostly have their members in the same places.
func (n *node) find(name string, hint int) int {
	if n == nil {
		return -1
	}
	if hint >= 0 && hint < len(n.members) && n.members[hint].Name == name {
		return hint
	}
	if n.index != nil {
		if at, ok := n.index[name]; ok {
			return at
		}
		return -1
	}
	for i := range n.members {
		if n.members[i].Name == name {
			return i
		}
	}
	return -1
}

// Kind says what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsAbsent reports whether there is no value at all, not even null.
func (v Value) IsAbsent() bool { return v.kind == KindAbsent }

// IsNothing reports whether the value is absent, null, [], {} or an object all of
// whose members are nothing. [Equal] takes all of these for the same.
func (v Value) IsNothing() bool {
	v.node = v.whole()
	switch v.kind {
	case KindAbsent, KindNull:
		return true
	case KindArray:
		return len(v.Items()) == 0
	case KindObject:
		for _, m := range v.Members() {
			if !m.Value.IsNothing() {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// Text is the decoded text of a string; false for any other kind.
func (v Value) Text() (string, bool) {
	if v.kind != KindString {
		return "", false
	}
	return unquote(v.text), true
}

// unquote decodes a string token that is known to be valid.
func unquote(token string) string {
	if strings.IndexByte(token, '\\') < 0 {
		return token[1 : len(token)-1]
	}
	// The error can only be of a token Parse refuses; what was decoded stands.
	text, _ := jsontext.AppendUnquote(nil, token)
	return string(text)
}

// Bool is the truth of a boolean; ok is false for any other kind.
func (v Value) Bool() (b, ok bool) {
	return v.text == "true", v.kind == KindBool
}

// Number is a number's text as written; ok is false for any other kind.
func (v Value) Number() (text string, ok bool) {
	if v.kind != KindNumber {
		return "", false
	}
	return v.text, true
}

// Int is a number that is whole by meaning (10, 10.0, 1e1) and fits an int64;
// false for any other value.
func (v Value) Int() (int64, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	return decimalOf(v.text).int64()
}

// Members are an object's members in written order, nil for any other kind.
// The slice belongs to the value: do not change it.
func (v Value) Members() []Member {
	n := v.inner()
	if n == nil {
		return nil
	}
	return n.members
}

// Items are an array's items, nil for any other kind. The slice belongs to the
// value: do not change it.
func (v Value) Items() []Value {
	n := v.inner()
	if n == nil {
		return nil
	}
	return n.items
}

// Member is the value of an object's member, absent when there is none or the
// value is no object.
func (v Value) Member(name string) Value { return v.member(name, 0) }

func (v Value) member(name string, hint int) Value {
	n := v.inner()
	at := n.find(name, hint)
	if at < 0 {
		return Value{}
	}
	return n.members[at].Value
}

package scope

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Null is the JSON value null.
var Null = Value{kind: KindNull, text: "null"}

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, text: "true"}
	}
	return Value{kind: KindBool, text: "false"}
}

// String makes a string. Only what JSON demands is escaped, so & < > stay as they
// are. Bytes that are not UTF-8 become U+FFFD.
func String(s string) Value { return Value{kind: KindString, text: quote(s)} }

// Number makes a number that keeps the given text. The value is absent when the
// text is not a JSON number within [DefaultLimits].
func Number(text string) Value {
	v, faults := Parse([]byte(text), Limits{})
	if len(faults) > 0 || v.kind != KindNumber {
		return Value{}
	}
	return v
}

// Array makes an array. An absent item becomes null.
func Array(items ...Value) Value {
	v := Value{kind: KindArray}
	if len(items) == 0 {
		return v
	}
	kept := make([]Value, len(items))
	for i, item := range items {
		if item.IsAbsent() {
			item = Null
		}
		kept[i] = item
	}
	v.node = &node{items: kept}
	return v
}

// Object makes an object with its members in the given order. A member whose value
// is absent is left out; of two with one name the later value stands in the place
// of the earlier. Bytes of a name that are not UTF-8 become U+FFFD.
func Object(members ...Member) Value {
	d := draft{members: make([]Member, 0, len(members))}
	for _, m := range members {
		if m.Value.IsAbsent() {
			continue
		}
		name := strings.ToValidUTF8(m.Name, "\ufffd")
		d.set(name, spelling(name), m.Value)
	}
	return d.object()
}

// With is the object with that member replaced in its place, or added at the end.
// An absent value takes the member out; a value that is no object counts as {}.
func (v Value) With(name string, member Value) Value {
	if member.IsAbsent() {
		return v.Without(name)
	}
	d := draftOf(v, 1)
	name = strings.ToValidUTF8(name, "\ufffd")
	d.set(name, spelling(name), member)
	return d.object()
}

// Without is the object without these members. A value that is no object, or has
// none of them, is returned as it is.
func (v Value) Without(names ...string) Value {
	var drop []int
	n := v.inner()
	for _, name := range names {
		if at := n.find(name, 0); at >= 0 {
			drop = append(drop, at)
		}
	}
	if len(drop) == 0 {
		return v
	}
	d := draftOf(v, 0)
	for _, at := range drop {
		d.members[at].Value = Value{}
	}
	return d.object()
}

// AppendString appends a string as [String] writes it.
func AppendString(dst []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	// The error says that bytes were no UTF-8; they are replaced all the same.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// quote encodes a string as RFC 8785 does, with the fewest escapes.
func quote(s string) string {
	if isPlain(s) {
		return `"` + s + `"`
	}
	return string(AppendString(make([]byte, 0, len(s)+2), s))
}

// isPlain reports whether plain quotes around an ASCII text are enough.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// spelling is a name's token, or "" when plain quotes around it are enough.
func spelling(name string) string {
	for i := range len(name) {
		if name[i] < ' ' || name[i] == '"' || name[i] == '\\' {
			return quote(name)
		}
	}
	return ""
}

// draft is an object under construction.
type draft struct {
	members []Member
	spelled []string
	index   map[string]int // kept only while there are many members
}

// draftOf starts from an object's members, with room for more.
func draftOf(v Value, more int) draft {
	var d draft
	n := v.inner()
	if n == nil || v.kind != KindObject {
		return d
	}
	d.members = append(make([]Member, 0, len(n.members)+more), n.members...)
	if n.spelled != nil {
		d.spelled = append(make([]string, 0, len(d.members)+more), n.spelled...)
	}
	return d
}

// set replaces the member of that name in its place or adds it at the end. A
// member set to an absent value is dropped by object.
func (d *draft) set(name, spelled string, v Value) {
	if at := d.find(name); at >= 0 {
		d.members[at].Value = v
		return
	}
	if spelled != "" && d.spelled == nil {
		d.spelled = make([]string, len(d.members), cap(d.members)+1)
	}
	if d.spelled != nil {
		d.spelled = append(d.spelled, spelled)
	}
	if d.index != nil {
		d.index[name] = len(d.members)
	}
	d.members = append(d.members, Member{Name: name, Value: v})
}

func (d *draft) find(name string) int {
	if d.index == nil && len(d.members) >= indexFrom {
		d.index = indexOf(d.members)
	}
	n := node{members: d.members, index: d.index}
	return n.find(name, 0)
}

// object ends the construction; the draft must not be used afterwards.
func (d *draft) object() Value {
	kept := 0
	for i, m := range d.members {
		if m.Value.IsAbsent() {
			continue
		}
		d.members[kept] = m
		if d.spelled != nil {
			d.spelled[kept] = d.spelled[i]
		}
		kept++
	}
	v := Value{kind: KindObject}
	if kept == 0 {
		return v
	}
	n := &node{members: d.members[:kept:kept], spelled: d.spelled, index: d.index}
	if kept < len(d.members) {
		n.index = nil // the places moved
	}
	if n.index == nil && kept >= indexFrom {
		n.index = indexOf(n.members)
	}
	v.node = n
	return v
}

func indexOf(members []Member) map[string]int {
	index := make(map[string]int, len(members))
	for i := range members {
		index[members[i].Name] = i
	}
	return index
}

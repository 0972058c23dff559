package scope

import (
	"strings"
	"unicode"
)

// Equal compares two values by meaning, as the package comment says: the order of
// members, the spelling of numbers and strings, and which nothing stands there
// (absent, null, [], {}) make no difference. Two arrays are equal when they are
// equally long and their items are, one by one.
func Equal(a, b Value) bool {
	if a.sameText(b) {
		return true
	}
	switch a.kind {
	case KindBool:
		return b.kind == KindBool && a.text == b.text
	case KindNumber:
		return b.kind == KindNumber && sameNumber(a.text, b.text)
	case KindString:
		return b.kind == KindString && sameString(a.text, b.text)
	case KindArray:
		if b.kind != KindArray {
			return a.IsNothing() && b.IsNothing()
		}
		a.node, b.node = a.whole(), b.whole()
		return equalItems(a.Items(), b.Items())
	case KindObject:
		if b.kind != KindObject {
			return a.IsNothing() && b.IsNothing()
		}
		return equalMembers(a, b)
	default:
		return b.IsNothing()
	}
}

// sameText reports whether both were read from the same text, and so mean the
// same. It is what makes comparing two versions of an order quick.
func (v Value) sameText(other Value) bool {
	return v.kind == other.kind && v.text != "" && v.text == other.text
}

// sameString compares two string tokens by the text they stand for.
func sameString(a, b string) bool {
	if a == b {
		return true
	}
	if strings.IndexByte(a, '\\') < 0 && strings.IndexByte(b, '\\') < 0 {
		return false
	}
	return unquote(a) == unquote(b)
}

func equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalMembers(a, b Value) bool {
	a.node, b.node = a.whole(), b.whole()
	for i, m := range a.Members() {
		if !Equal(m.Value, b.member(m.Name, i)) {
			return false
		}
	}
	for i, m := range b.Members() {
		if a.node.find(m.Name, i) < 0 && !m.Value.IsNothing() {
			return false
		}
	}
	return true
}

// Diff says what changed by meaning: pointers to the deepest members of objects
// that differ, in the written order of after, then those that only before has. It
// is empty exactly when the values are [Equal]; putting after's value at each
// pointer into before gives after.
//
// An array is one value and never entered. Where an object comes to be or goes,
// all its leaves that are not nothing are named; where it takes the place of
// another value than nothing, or the other way round, its own place is.
//
// A pointer is never one that [ParsePointer] refuses (too long, too deep, a control
// character in a name): the object around such a member is named instead. Many members
// under long names could be named in many times the bytes of both values: after the
// first 1 MiB of pointers, only members of the whole value are named.
func Diff(before, after Value) []Pointer {
	var d differ
	d.compare(before, after)
	return d.found
}

// maxDiffBytes bounds all pointers together, but for those of one token.
const maxDiffBytes = 1 << 20

type differ struct {
	found []Pointer
	path  []byte
	depth int
	bytes int  // of all pointers so far, and of those whose place another took
	full  bool // there was no room for the last one
}

func (d *differ) compare(before, after Value) {
	if before.sameText(after) {
		return
	}
	// Nothing beside an object counts as an object without members.
	apart := before.kind == KindObject && (after.kind == KindObject || after.IsNothing()) ||
		after.kind == KindObject && before.IsNothing()
	if apart {
		d.members(before, after)
	} else if !Equal(before, after) {
		d.add()
	}
}

func (d *differ) members(before, after Value) {
	before.node, after.node = before.whole(), after.whole()
	mark := len(d.found)
	nameable := true
	for i, m := range after.Members() {
		nameable = nameable && d.member(m.Name, before.member(m.Name, i), m.Value)
	}
	for i, m := range before.Members() {
		if nameable && after.node.find(m.Name, i) < 0 {
			nameable = d.member(m.Name, m.Value, Value{})
		}
	}
	if !nameable {
		d.found = d.found[:mark]
		d.add()
	}
}

// member compares one member; false means that it differs, and no pointer may name it or there is no room for one.
func (d *differ) member(name string, before, after Value) bool {
	if before.sameText(after) {
		return true
	}
	size := len(d.path)
	d.path = appendToken(d.path, name)
	d.depth++
	defer func() { d.path, d.depth = d.path[:size], d.depth-1 }()
	if len(d.path) > maxPointerBytes || d.depth > maxPointerTokens || strings.ContainsFunc(name, unicode.IsControl) {
		return Equal(before, after)
	}
	d.compare(before, after)
	return !d.full
}

// add names the place that was reached, if there is room for it; else those around it are tried.
func (d *differ) add() {
	d.bytes += len(d.path)
	if d.full = d.bytes > maxDiffBytes && d.depth > 1; !d.full {
		d.found = append(d.found, d.here())
	}
}

func (d *differ) here() Pointer { return Pointer{text: string(d.path)} }

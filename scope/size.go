package scope

import (
	"math"
	"reflect"
)

// maxSlack is how much white space around a value is not worth reading it again: most clients end it with a line feed.
const maxSlack = 16

// StandsAlone reports whether an array or object is as it was read, and by itself: it holds on to no text but its own. A
// value that was taken out of a document, or put together from several, keeps alive all that they were read from, which may
// be many times as large. Who keeps such a value for long reads its [Value.JSON] again.
func (v Value) StandsAlone() bool { return v.node != nil && v.node.alone }

// Compact reports whether the text of an array or object is what [Value.JSON] returns: there is no white space in it.
func (v Value) Compact() bool { return v.node != nil && v.node.compact }

// Bytes is about how much memory a value takes that stands alone.
func (v Value) Bytes() int { return len(v.text) + v.node.bytes() }

// Size is how many bytes [Value.JSON] has.
func (v Value) Size() int { return v.sizeWithin(math.MaxInt) }

// LongerThan reports whether [Value.JSON] has more than so many bytes, without reading on from there.
func (v Value) LongerThan(most int) bool { return v.sizeWithin(most) > most }

// sizeWithin is the size of the JSON; one that is larger than most may be told too small, but larger than most.
func (v Value) sizeWithin(most int) int {
	switch {
	case v.kind == KindAbsent:
		return len("null")
	case v.kind != KindArray && v.kind != KindObject, v.node != nil && v.node.compact:
		return len(v.text)
	}
	size := len("[]") + max(0, len(v.Items())+len(v.Members())-1) // the commas
	for _, item := range v.Items() {
		if size > most {
			break
		}
		size += item.sizeWithin(most - size)
	}
	for i, m := range v.Members() {
		if size > most {
			break
		}
		name := len(v.node.spelling(i))
		if name == 0 {
			name = len(m.Name) + len(`""`)
		}
		size += name + len(":")
		size += m.Value.sizeWithin(most - size)
	}
	return size
}

// What a value takes beside its text.
var (
	nodeBytes   = int(reflect.TypeFor[node]().Size())
	memberBytes = int(reflect.TypeFor[Member]().Size())
	itemBytes   = int(reflect.TypeFor[Value]().Size())
)

const indexBytes = 40 // of one name in a map

func (n *node) bytes() int {
	if n == nil {
		return 0
	}
	size := nodeBytes + len(n.members)*memberBytes + len(n.items)*itemBytes + len(n.index)*indexBytes
	for i := range n.members {
		size += n.members[i].Value.node.bytes()
	}
	for i := range n.items {
		size += n.items[i].node.bytes()
	}
	return size
}

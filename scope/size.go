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
func (v Value) StandsAlone() bool { return v.node != nil && v.node.room > 0 }

// Compact reports whether the text of an array or object is what [Value.JSON] returns: there is no white space in it.
func (v Value) Compact() bool { return v.node != nil && v.node.compact }

// Bytes is about how much memory a value takes that stands alone.
func (v Value) Bytes() int {
	if v.StandsAlone() {
		return len(v.text) + int(v.node.room)
	}
	return len(v.text) + v.node.allBytes()
}

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

// bytes is what an array or object takes, but not what is in those that it holds.
func (n *node) bytes() int {
	size := nodeBytes + len(n.members)*memberBytes + len(n.items)*itemBytes
	if len(n.members) >= indexFrom {
		size += len(n.members) * indexBytes
	}
	return size
}

func (n *node) allBytes() int {
	if n == nil {
		return 0
	}
	size := n.bytes()
	for i := range n.members {
		size += n.members[i].Value.node.allBytes()
	}
	for i := range n.items {
		size += n.items[i].node.allBytes()
	}
	return size
}

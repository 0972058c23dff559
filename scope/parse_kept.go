package scope

// kept is where what is read stays: a few large allocations instead of two for each
// array and object. A value holds on to its whole document anyway, by the text.
type kept struct {
	nodes   []node
	members []Member
	items   []Value
}

// keep moves a part into a slab, or into a new one of about the guessed size.
func keep[T any](slab *[]T, part []T, guess int) []T {
	if len(part) == 0 {
		return nil
	}
	if cap(*slab)-len(*slab) < len(part) {
		*slab = make([]T, 0, max(len(part), min(guess, 512)))
	}
	start := len(*slab)
	*slab = append(*slab, part...)
	return (*slab)[start:len(*slab):len(*slab)]
}

// node keeps what an array or object holds. One value takes some 12 bytes of text
// in an item, 24 in a member, and there are about five members to an object.
func (p *parser) node(n node) *node {
	left := len(p.src) - p.pos
	if p.folding {
		left = 0 // what follows will mostly be folded
	}
	p.room += n.bytes()
	n.items = keep(&p.kept.items, n.items, left/64)
	n.members = keep(&p.kept.members, n.members, len(n.members)+left/24)
	return &keep(&p.kept.nodes, []node{n}, 1+left/128)[0]
}

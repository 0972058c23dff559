package scope

// Merge applies a JSON Merge Patch (RFC 7396): an object patch sets the members it
// names, recursively, and removes those it gives as null; any other patch replaces
// the target. What the patch does not name keeps its text and its place; what it
// adds comes last. Nulls inside the patch's arrays stay, as the RFC says. An absent
// patch changes nothing.
//
// It works on the tree because the merge must keep an order as written. The usual
// library for this (github.com/evanphx/json-patch) was measured to rewrite & < >
// in every string of the document as \u0026 \u003c \u003e.
func Merge(target, patch Value) Value {
	if patch.IsAbsent() {
		return target
	}
	if patch.kind != KindObject {
		return patch
	}
	patch.node = patch.whole()
	if target.kind == KindObject && len(patch.Members()) == 0 {
		return target
	}
	target.node = target.whole()
	d := draftOf(target, len(patch.Members()))
	for i, m := range patch.Members() {
		if m.Value.kind == KindNull {
			if at := d.find(m.Name); at >= 0 {
				d.members[at].Value = Value{} // dropped by object
			}
			continue
		}
		d.set(m.Name, patch.node.spelling(i), Merge(target.member(m.Name, i), m.Value))
	}
	return d.object()
}

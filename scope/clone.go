package scope

import "strings"

// Clone is the value as [Parse] reads it from its JSON, for a fraction of the time. It has a text of its own: it does not
// keep alive what it was read from, the white space and the members that were taken out included.
func (v Value) Clone() Value {
	if v.isFolded() {
		return Value{kind: v.kind, text: strings.Clone(v.text), node: foldedWhole}
	}
	if v.IsAbsent() {
		return v
	}
	var room room
	room.measure(v)
	c := cloner{
		rest: v.ownText(), nodes: make([]node, room.nodes), members: make([]Member, room.members), items: make([]Value, room.items),
	}
	clone := c.value(v)
	if clone.node != nil {
		clone.node.room = int32(clone.node.allBytes())
	}
	return clone
}

// ownText is the JSON of a value as a text that nothing else holds on to.
func (v Value) ownText() string {
	if v.Compact() {
		return strings.Clone(v.text)
	}
	return string(v.JSON())
}

// room is how much a value takes beside its text.
type room struct{ nodes, members, items int }

func (r *room) measure(v Value) {
	if v.node == nil || v.isFolded() {
		return
	}
	r.nodes++
	r.members += len(v.node.members)
	r.items += len(v.node.items)
	for _, m := range v.node.members {
		r.measure(m.Value)
	}
	for _, item := range v.node.items {
		r.measure(item)
	}
}

// cloner holds what is left of the text that a clone is laid over, and of the room that was made for it.
type cloner struct {
	rest    string
	nodes   []node
	members []Member
	items   []Value
}

// carve takes the first of what is left.
func carve[T any](left *[]T, size int) []T {
	part := (*left)[:size:size]
	*left = (*left)[size:]
	return part
}

func (c *cloner) take(size int) string {
	text := c.rest[:size]
	c.rest = c.rest[size:]
	return text
}

func (c *cloner) value(v Value) Value {
	if v.kind != KindArray && v.kind != KindObject {
		return Value{kind: v.kind, text: c.take(len(v.text))}
	}
	if v.isFolded() {
		return Value{kind: v.kind, text: c.take(len(v.text)), node: foldedPart}
	}
	begin := c.rest
	c.take(len("["))
	clone := Value{kind: v.kind}
	if v.node != nil {
		clone.node = &carve(&c.nodes, 1)[0]
		clone.node.compact = true
		c.layItems(clone.node, v.node)
		c.layMembers(clone.node, v.node)
	} else {
		c.take(len("]"))
	}
	clone.text = begin[:len(begin)-len(c.rest)]
	return clone
}

// layItems takes what stands behind each of them, too: a comma, or the end of the array.
func (c *cloner) layItems(n, of *node) {
	if len(of.items) == 0 {
		return
	}
	n.items = carve(&c.items, len(of.items))
	for i, item := range of.items {
		n.items[i] = c.value(item)
		c.take(len(","))
	}
}

func (c *cloner) layMembers(n, of *node) {
	if len(of.members) == 0 {
		return
	}
	n.members = carve(&c.members, len(of.members))
	for i, m := range of.members {
		name := m.Name
		if spelled := of.spelling(i); spelled != "" {
			if n.spelled == nil {
				n.spelled = make([]string, len(of.members))
			}
			n.spelled[i] = c.take(len(spelled))
			name = unquote(n.spelled[i])
		} else {
			c.take(len(`"`))
			name = c.take(len(name))
			c.take(len(`"`))
		}
		c.take(len(":"))
		n.members[i] = Member{Name: name, Value: c.value(m.Value)}
		c.take(len(","))
	}
	if len(n.members) >= indexFrom {
		n.index = indexOf(n.members)
	}
}

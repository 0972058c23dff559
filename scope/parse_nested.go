package scope

import (
	"fmt"
	"slices"
	"strings"
)

// What a step's index says when it is not that of an array's item.
const (
	atObject = -1 // in an object, at no member: a fault here is the object's
	inMember = -2 // in an object, at the member of the step's name
)

func (p *parser) array() (Value, bool) {
	start := p.open(0)
	at, bottom := len(p.path)-1, len(p.items)
	size, compact := 2, true
	for first := true; !p.take(']'); first = false {
		if !first && !p.take(',') {
			return Value{}, p.syntax()
		}
		item, ok := p.value()
		if !ok {
			return Value{}, false
		}
		size += len(item.text) + 1
		compact = compact && item.isCompact()
		p.items = append(p.items, item)
		p.path[at].index++
	}
	end := p.close()
	v := Value{kind: KindArray, text: p.src[start:end]}
	if items := p.items[bottom:]; len(items) > 0 {
		// There is one comma less than items.
		if n := (node{items: items, compact: compact && size-1 == end-start}); p.folds(v) {
			v.node = foldedPart
		} else {
			v.node = p.node(n)
		}
		clear(items)
		p.items = p.items[:bottom]
	}
	return v, true
}

func (p *parser) object() (Value, bool) {
	start := p.open(atObject)
	o := openObject{bottom: len(p.members), size: 2, compact: true}
	for first := true; !p.take('}'); first = false {
		if !p.member(&o, first) {
			return Value{}, false
		}
	}
	end := p.close()
	v := Value{kind: KindObject, text: p.src[start:end]}
	if members := p.members[o.bottom:]; len(members) > 0 {
		n := node{members: members, index: o.index, compact: o.compact && o.size-1 == end-start}
		if p.folds(v) {
			v.node = foldedPart
		} else {
			if o.escaped {
				n.spelled = slices.Clone(p.spelled[o.bottom:])
			}
			v.node = p.node(n)
		}
	}
	clear(p.members[o.bottom:])
	clear(p.spelled[o.bottom:])
	p.members, p.spelled = p.members[:o.bottom], p.spelled[:o.bottom]
	return v, true
}

// openObject is what the parser keeps of an object while reading its members.
type openObject struct {
	bottom  int            // of its members on the stack
	size    int            // in bytes without white space, a comma after every member
	compact bool           // no member holds white space
	escaped bool           // some name is written with escapes
	index   map[string]int // once there are many members
}

func (p *parser) member(o *openObject, first bool) bool {
	step := &p.path[len(p.path)-1]
	step.index = atObject
	if !first && !p.take(',') || p.peek() != '"' {
		return p.syntax()
	}
	token, ok := p.token()
	if !ok {
		return false
	}
	name, spelled := unquote(token), ""
	if len(name) != len(token)-2 {
		spelled, o.escaped = token, true
	}
	if !p.utf8 {
		name = strings.ToValidUTF8(name, "\ufffd") // the fault's pointer must be text
	}
	step.name, step.index = name, inMember
	if detail := p.stringFault(token); detail != "" {
		if !p.fault("the member's name: " + detail) {
			return false
		}
	} else if p.occurs(o, name) && !p.fault(fmt.Sprintf("the member occurs again at byte %d", p.pos-len(token))) {
		return false
	}
	if !p.take(':') {
		return p.syntax()
	}
	v, ok := p.value()
	if !ok {
		return false
	}
	o.size += len(token) + len(v.text) + 2
	o.compact = o.compact && v.isCompact()
	p.members = append(p.members, Member{Name: name, Value: v})
	p.spelled = append(p.spelled, spelled)
	return true
}

// occurs reports whether the open object already has a member of that name.
func (p *parser) occurs(o *openObject, name string) bool {
	members := p.members[o.bottom:]
	if o.index == nil && len(members) >= indexFrom-1 {
		o.index = indexOf(members)
	}
	if o.index == nil {
		n := node{members: members}
		return n.find(name, 0) >= 0
	}
	if _, ok := o.index[name]; ok {
		return true
	}
	o.index[name] = len(members)
	return false
}

// open passes over a [ or { and says where it is.
func (p *parser) open(index int) (start int) {
	p.path = append(p.path, step{index: index})
	p.pos++
	return p.pos - 1
}

// close leaves the array or object whose ] or } was just read, and says where it ends.
func (p *parser) close() (end int) {
	p.path[len(p.path)-1] = step{}
	p.path = p.path[:len(p.path)-1]
	return p.pos
}

// isCompact reports whether a value just read holds no white space between tokens.
func (v Value) isCompact() bool {
	if v.kind != KindArray && v.kind != KindObject {
		return true
	}
	if v.node == nil {
		return len(v.text) == 2 // [] or {}
	}
	return v.node.compact
}

package scope

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits bound what [Parse] takes. A field that is zero (or less) stands for that
// of [DefaultLimits].
type Limits struct {
	MaxDepth        int // arrays and objects inside one another; at most 9999
	MaxNumberDigits int // digits of one number, its exponent not counted
	MaxExponent     int // size of a written exponent, either sign; at most 999999999
}

// DefaultLimits hold every order we know of. The limits on numbers protect those
// who calculate with them (a JSON Schema does): 1e1000000000 is twelve bytes here
// and four hundred megabytes there.
var DefaultLimits = Limits{MaxDepth: 64, MaxNumberDigits: 400, MaxExponent: 400}

func (l Limits) orDefault() Limits {
	if l.MaxDepth <= 0 {
		l.MaxDepth = DefaultLimits.MaxDepth
	}
	if l.MaxNumberDigits <= 0 {
		l.MaxNumberDigits = DefaultLimits.MaxNumberDigits
	}
	if l.MaxExponent <= 0 {
		l.MaxExponent = DefaultLimits.MaxExponent
	}
	return l
}

// Parse reads exactly one JSON value (RFC 8259). When anything is wrong the value
// is absent and the faults tell all that could be found in one go: every name that
// occurs twice in an object, every value nested too deep (what is inside it is not
// looked at), every number out of range, every string that is not UTF-8 (RFC 8259
// §8.1) or has half a surrogate pair (§8.2). A syntax error, told with its byte
// offset, ends the search, and so does the hundredth fault. Input that is empty, or
// goes on after the value, is a fault. data is neither kept nor changed.
func Parse(data []byte, limits Limits) (Value, Faults) {
	v, faults, _ := parse(string(data), limits, false)
	return v, faults
}

// ParseFolded is [Parse] for a document of which little is looked at: all of it is read and checked, but of the arrays and
// objects in its members nothing is kept beside their text, which is read once more when somebody goes into one. White space
// between tokens is not kept. The value is the same to whoever asks it for anything.
func ParseFolded(data []byte, limits Limits) (Value, Faults) {
	text := string(data)
	v, faults, spaced := parse(text, limits, true)
	if spaced {
		if v, faults, spaced = parse(tight(text), limits, true); spaced || len(faults) > 0 {
			return Parse(data, limits) // faults are told where they are in what was sent
		}
	}
	return v, faults
}

// parse reads a text. When it is to be folded, white space between tokens ends the reading, with nothing told but that.
func parse(text string, limits Limits, folding bool) (v Value, faults Faults, spaced bool) {
	p := parsers.Get().(*parser)
	defer p.release()
	p.src = text
	p.folding = folding
	p.limits = limits.orDefault()
	p.utf8 = utf8.ValidString(p.src)
	p.surrogates = strings.Contains(p.src, `\ud`) || strings.Contains(p.src, `\uD`)
	v, ok := p.value()
	if p.spaced {
		return Value{}, nil, true
	}
	if ok {
		p.checkEnd()
	}
	if len(p.faults) > 0 {
		return Value{}, p.faults, false
	}
	if v.node != nil && len(p.src) <= len(v.text)+maxSlack {
		v.node.room = int32(p.room)
	}
	return v, nil, false
}

// keepStack is how many entries a parser at rest may hold on to: room for common
// orders, not for the one that was very large.
const keepStack = 1 << 12

var parsers = sync.Pool{New: func() any { return new(parser) }}

// parser walks the text once. members, spelled and items are stacks shared by all
// open arrays and objects; each takes its part off when it closes.
type parser struct {
	src        string
	pos        int  // how far it has been read
	utf8       bool // all of src is valid UTF-8
	surrogates bool // src holds escapes of surrogates, paired or not
	folding    bool // what stands in the outermost array or object is folded
	spaced     bool // what is to be folded has white space between its tokens, and was not read on
	again      bool // src was read before, and is compact
	limits     Limits
	faults     Faults
	path       []step
	members    []Member
	spelled    []string
	items      []Value
	kept       kept
	room       int // bytes that what was kept takes
}

// step is where the parser is in one open array or object.
type step struct {
	name  string
	index int // of an array's item, or atObject or inMember
}

// release gives the parser back without what it read. Closing a value cleared its
// part of the stacks; after a fault some are still open.
func (p *parser) release() {
	clear(p.members)
	clear(p.spelled)
	clear(p.items)
	clear(p.path)
	*p = parser{path: p.path[:0], members: p.members[:0], spelled: p.spelled[:0], items: p.items[:0]}
	if cap(p.members)+cap(p.items) > keepStack {
		p.members, p.spelled, p.items = nil, nil, nil
	}
	parsers.Put(p)
}

// value reads the next value; false means that reading must end here.
func (p *parser) value() (Value, bool) {
	switch c := p.peek(); {
	case p.again && p.folding && len(p.path) > 0 && (c == '{' || c == '['):
		return p.fold(), true
	case c == '{':
		if len(p.path) < p.limits.MaxDepth {
			return p.object()
		}
		return p.skip()
	case c == '[':
		if len(p.path) < p.limits.MaxDepth {
			return p.array()
		}
		return p.skip()
	default:
		return p.scalar()
	}
}

// skip passes over a value that is nested too deep.
func (p *parser) skip() (Value, bool) {
	ok := p.fault(fmt.Sprintf("nested deeper than %d levels", p.limits.MaxDepth))
	dec := jsontext.NewDecoder(strings.NewReader(p.src[p.pos:]), tokenOptions...)
	if err := dec.SkipValue(); err != nil {
		return Value{}, p.syntax()
	}
	p.pos += int(dec.InputOffset())
	return Value{}, ok
}

// checkEnd sees that nothing follows the value.
func (p *parser) checkEnd() {
	rest := strings.TrimLeft(p.src[p.pos:], " \t\r\n")
	if rest != "" {
		p.faults.add("", fmt.Sprintf("the JSON value ends before byte %d, but more follows", len(p.src)-len(rest)))
	}
}

// fault notes a fault at the place the parser has reached.
func (p *parser) fault(detail string) bool {
	var pointer []byte
	for _, s := range p.path {
		before := len(pointer)
		if before+len(s.name) > maxPointerBytes { // not even written: the name may be as long as the input
			break
		}
		switch {
		case s.index >= 0:
			pointer = strconv.AppendInt(append(pointer, '/'), int64(s.index), 10)
		case s.index == inMember:
			pointer = appendToken(pointer, s.name)
		}
		if len(pointer) > maxPointerBytes {
			pointer = pointer[:before]
			break
		}
	}
	return p.faults.add(string(pointer), detail)
}

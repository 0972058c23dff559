package scope

// A folded value has the node of all folded ones instead of its own.
var (
	foldedWhole = &node{compact: true, room: 1} // stands alone
	foldedPart  = &node{compact: true}          // of a folded one, whose text it holds on to
)

func (v Value) isFolded() bool { return v.node == foldedWhole || v.node == foldedPart }

// Folded is a document as it is best kept for long: its text, with which go a fifth of the memory and nothing that a garbage
// collector has to follow. What stands in it is read whenever it is asked for, one level at a time. So it is for those who
// write it, or a few of its members, once; who asks for more asks [Value.Unfolded]. Only a value that stands alone and is
// compact is folded, another is returned as it is.
func (v Value) Folded() Value {
	if v.StandsAlone() && v.Compact() {
		v.node = foldedWhole
	}
	return v
}

// Unfolded is the value as it was before it was folded. Of one that only holds folded ones, as [ParseFolded] returns it, it is
// that value.
func (v Value) Unfolded() Value {
	if !v.isFolded() {
		return v
	}
	alone := v.StandsAlone()
	if v.node = v.readAgain(false); alone {
		v.node.room = int32(v.node.allBytes())
	}
	return v
}

// inner is what the value holds: of a folded one read now, its arrays and objects folded.
func (v Value) inner() *node {
	if !v.isFolded() {
		return v.node
	}
	return v.readAgain(true)
}

// whole is what the value holds, for who goes on into it: of a folded one all of it is read now. Level by level each byte
// would be read as often as it is deep.
func (v Value) whole() *node {
	if !v.isFolded() {
		return v.node
	}
	return v.readAgain(false)
}

func (v Value) readAgain(folding bool) *node {
	p := parsers.Get().(*parser)
	defer p.release()
	p.src, p.utf8, p.again, p.folding = v.text, true, true, folding
	p.limits = limitsOnceRead(v)
	v, _ = p.value()
	return v.node
}

// limitsOnceRead let everything through: whatever the limits were, the value was within them.
func limitsOnceRead(v Value) Limits {
	return Limits{MaxDepth: 9999, MaxNumberDigits: len(v.text), MaxExponent: 999999999}
}

// foldFrom is how long a member of the document must be to be folded: the state of an order is looked at by everybody.
const foldFrom = 64

// folds says whether an array or object that was just read is folded.
func (p *parser) folds(v Value) bool {
	return p.folding && (len(p.path) > 1 || len(p.path) == 1 && len(v.text) >= foldFrom)
}

// fold passes over an array or object that was read before, and is compact.
func (p *parser) fold() Value {
	v := Value{kind: KindArray, node: foldedPart}
	if p.src[p.pos] == '{' {
		v.kind = KindObject
	}
	start, depth := p.pos, 0
	for first := true; first || depth > 0; first = false {
		switch p.src[p.pos] {
		case '"':
			p.pos += stringSize(p.src[p.pos:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		p.pos++
	}
	if v.text = p.src[start:p.pos]; len(v.text) == len("{}") {
		v.node = nil
	}
	return v
}

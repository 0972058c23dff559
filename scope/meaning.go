package scope

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// AppendMeaning appends bytes that are the same for two values exactly when they are
// [Equal]: who looks for a value among many need not compare it with each.
func (v Value) AppendMeaning(dst []byte) []byte {
	v.node = v.whole()
	switch v.kind {
	case KindBool:
		return append(dst, v.text[0]) // t or f
	case KindNumber:
		return appendNumberMeaning(dst, decimalOf(v.text))
	case KindString:
		return appendTextMeaning(dst, unquote(v.text))
	case KindArray:
		if v.IsNothing() {
			return append(dst, nothing)
		}
		dst = append(dst, '[')
		for _, item := range v.Items() {
			dst = item.AppendMeaning(dst)
		}
		return append(dst, ']')
	case KindObject:
		return v.appendObjectMeaning(dst)
	default:
		return append(dst, nothing)
	}
}

// nothing is what all that is nothing means.
const nothing = 'n'

// appendObjectMeaning leaves out members that are nothing, and so may end with nothing at all.
func (v Value) appendObjectMeaning(dst []byte) []byte {
	members := slices.Clone(v.Members())
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	start := len(dst)
	dst = append(dst, '{')
	for _, m := range members {
		before := len(dst)
		dst = appendTextMeaning(dst, m.Name)
		value := len(dst)
		if dst = m.Value.AppendMeaning(dst); dst[value] == nothing {
			dst = dst[:before]
		}
	}
	if len(dst) == start+1 {
		return append(dst[:start], nothing)
	}
	return append(dst, '}')
}

func appendNumberMeaning(dst []byte, d decimal) []byte {
	sign := byte('+')
	if d.negative {
		sign = '-'
	}
	dst = append(append(dst, sign), d.digits...)
	return append(strconv.AppendInt(append(dst, 'e'), int64(d.exponent), 10), ';')
}

func appendTextMeaning(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(append(dst, '"'), uint64(len(text))), text...)
}

package scope

import "encoding/json"

// AppendJSON appends the value as compact JSON: the text of numbers, the escapes
// of strings and the order of members as written, white space between tokens
// dropped. An absent value is written as null.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case KindAbsent:
		return append(dst, "null"...)
	case KindArray:
		return v.appendArray(dst)
	case KindObject:
		return v.appendObject(dst)
	default:
		return append(dst, v.text...)
	}
}

func (v Value) appendArray(dst []byte) []byte {
	if v.node != nil && v.node.compact {
		return append(dst, v.text...)
	}
	dst = append(dst, '[')
	for i, item := range v.Items() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item.AppendJSON(dst)
	}
	return append(dst, ']')
}

func (v Value) appendObject(dst []byte) []byte {
	if v.node != nil && v.node.compact {
		return append(dst, v.text...)
	}
	dst = append(dst, '{')
	for i, m := range v.Members() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if spelled := v.node.spelling(i); spelled != "" {
			dst = append(dst, spelled...)
		} else {
			dst = append(dst, '"')
			dst = append(dst, m.Name...)
			dst = append(dst, '"')
		}
		dst = append(dst, ':')
		dst = m.Value.AppendJSON(dst)
	}
	return append(dst, '}')
}

// spelling is a member's name as written, or "" when quotes around it are enough.
func (n *node) spelling(at int) string {
	if n.spelled == nil {
		return ""
	}
	return n.spelled[at]
}

// JSON is the value as compact JSON, see [Value.AppendJSON].
func (v Value) JSON() []byte { return v.AppendJSON(make([]byte, 0, v.Size())) }

// MarshalJSON is [Value.JSON]; the error is always nil. Beware: encoding/json's
// Marshal escapes & < > in what a marshaler returns. To keep an order as written,
// use an Encoder with SetEscapeHTML(false), or append JSON directly.
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// Any is the value as a JSON Schema validator wants it: map[string]any, []any,
// [json.Number], string, bool or nil. Absent is nil.
func (v Value) Any() any {
	v.node = v.whole()
	switch v.kind {
	case KindBool:
		return v.text == "true"
	case KindNumber:
		return json.Number(v.text)
	case KindString:
		return unquote(v.text)
	case KindArray:
		items := make([]any, len(v.Items()))
		for i, item := range v.Items() {
			items[i] = item.Any()
		}
		return items
	case KindObject:
		members := make(map[string]any, len(v.Members()))
		for _, m := range v.Members() {
			members[m.Name] = m.Value.Any()
		}
		return members
	default:
		return nil
	}
}

package scope

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func (p *parser) scalar() (Value, bool) {
	token, ok := p.token()
	if !ok {
		return Value{}, false
	}
	v := Value{text: token}
	switch token[0] {
	case 'n':
		v.kind = KindNull
	case 't', 'f':
		v.kind = KindBool
	case '"':
		v.kind = KindString
		ok = p.checkString(token)
	default:
		v.kind = KindNumber
		if detail := numberFault(token, p.limits); detail != "" {
			ok = p.fault(detail)
		}
	}
	return v, ok
}

// checkString looks for what the tokeniser was told to let pass.
func (p *parser) checkString(token string) bool {
	detail := p.stringFault(token)
	return detail == "" || p.fault(detail)
}

func (p *parser) stringFault(token string) string {
	if !p.utf8 && !utf8.ValidString(token) {
		return "the string is not valid UTF-8"
	}
	if p.surrogates && strings.Contains(token, `\u`) {
		if _, err := jsontext.AppendUnquote(nil, token); err != nil {
			return "the string holds half of a surrogate pair"
		}
	}
	return ""
}

package scope

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// peek passes over white space and is the byte after it, 0 at the end and where reading must end here.
func (p *parser) peek() byte {
	for ; p.pos < len(p.src); p.pos++ {
		if c := p.src[p.pos]; !isSpace(c) {
			return c
		}
		if p.folding {
			p.spaced = true
			return 0
		}
	}
	return 0
}

// take passes over that byte if it comes next.
func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

// token reads one scalar as it is written.
func (p *parser) token() (string, bool) {
	size := 0
	switch c := p.peek(); c {
	case 0:
	case '"':
		size = stringSize(p.src[p.pos:])
	case 't':
		size = literalSize(p.src[p.pos:], "true")
	case 'f':
		size = literalSize(p.src[p.pos:], "false")
	case 'n':
		size = literalSize(p.src[p.pos:], "null")
	default:
		size = numberSize(p.src[p.pos:])
	}
	if size == 0 {
		return "", p.syntax()
	}
	p.pos += size
	return p.src[p.pos-size : p.pos], true
}

func literalSize(text, literal string) int {
	if strings.HasPrefix(text, literal) {
		return len(literal)
	}
	return 0
}

// stringSize is the length of the string token that a text opens with, 0 when it opens with none. Whether it is UTF-8,
// and what surrogates it has, is looked at later.
func stringSize(text string) int {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return 0
		case c == '\\':
			escape := escapeSize(text[i+1:])
			if escape == 0 {
				return 0
			}
			i += escape
		}
	}
	return 0
}

// escapeSize is the length of what follows a backslash, 0 when nothing that may.
func escapeSize(text string) int {
	if text == "" {
		return 0
	}
	if text[0] != 'u' {
		return min(1, strings.Count(`"\/bfnrt`, text[:1]))
	}
	for i := 1; i < 5; i++ {
		if i >= len(text) || !isHex(text[i]) {
			return 0
		}
	}
	return 5
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// numberSize is the length of the number that a text opens with, 0 when it opens with none (RFC 8259 §6).
func numberSize(text string) int {
	i := 0
	if i < len(text) && text[i] == '-' {
		i++
	}
	whole := digitsSize(text[i:])
	switch {
	case whole == 0:
		return 0
	case text[i] == '0': // it stands alone: what follows another digit is no part of this number
		i++
	default:
		i += whole
	}
	if i < len(text) && text[i] == '.' {
		fraction := digitsSize(text[i+1:])
		if fraction == 0 {
			return 0
		}
		i += 1 + fraction
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		exponent := digitsSize(text[i:])
		if exponent == 0 {
			return 0
		}
		i += exponent
	}
	return i
}

func digitsSize(text string) int {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return i
		}
	}
	return len(text)
}

// tokenOptions turn off the two checks that would end the reading at the first
// fault; the parser makes them itself.
var tokenOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// syntax notes why the text cannot be read on, in the words of jsontext, which reads it again from its beginning.
func (p *parser) syntax() bool {
	if p.spaced {
		return false
	}
	dec := jsontext.NewDecoder(strings.NewReader(p.src), tokenOptions...)
	var err error
	for err == nil {
		_, err = dec.ReadToken()
	}
	if errors.Is(err, io.EOF) {
		p.faults.add("", "there is no JSON value, the input is empty")
		return false
	}
	detail := fmt.Sprintf("syntax error: %v", err)
	if serr, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		detail = fmt.Sprintf("syntax error at byte %d: %v", serr.ByteOffset, serr.Err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		detail = fmt.Sprintf("syntax error at byte %d: the input ends before the JSON value does", len(p.src))
	}
	p.fault(detail)
	return false
}

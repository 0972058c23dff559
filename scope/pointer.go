package scope

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a pointer may be at most. Within these, every pointer that [Diff] gives can
// be registered as a scope.
const (
	maxPointerTokens = 64
	maxPointerBytes  = 1024
)

// Pointer is a JSON Pointer (RFC 6901) that names a member of an object, however
// deep. The zero Pointer is the whole document.
type Pointer struct {
	text string // as written: "" or "/a/b~1c"
}

// ParsePointer reads a JSON Pointer. "" is the whole document; any other starts
// with "/", and "~" occurs only as ~0 (for ~) or ~1 (for /). At most 64 tokens and
// 1024 bytes of valid UTF-8 without control characters are taken.
func ParsePointer(s string) (Pointer, error) {
	switch {
	case s == "":
		return Pointer{}, nil
	case len(s) > maxPointerBytes:
		return Pointer{}, fmt.Errorf("the pointer has %d bytes, at most %d are taken", len(s), maxPointerBytes)
	case s[0] != '/':
		return Pointer{}, errors.New(`a JSON Pointer is empty or starts with "/"`)
	case !utf8.ValidString(s):
		return Pointer{}, errors.New("the pointer is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return Pointer{}, errors.New("the pointer holds a control character")
	}
	if n := strings.Count(s, "/"); n > maxPointerTokens {
		return Pointer{}, fmt.Errorf("the pointer has %d tokens, at most %d are taken", n, maxPointerTokens)
	}
	for i := range len(s) {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return Pointer{}, fmt.Errorf(`"~" at byte %d must be written ~0, or ~1 for "/"`, i)
		}
	}
	return Pointer{text: s}, nil
}

// String is the pointer as written.
func (p Pointer) String() string { return p.text }

// Tokens are the decoded names on the way, none for the whole document.
func (p Pointer) Tokens() []string {
	if p.text == "" {
		return nil
	}
	tokens := strings.Split(p.text[1:], "/")
	for i, token := range tokens {
		tokens[i] = unescape(token)
	}
	return tokens
}

// Child is the pointer to the member of that name under p. The result is not held
// against the limits of [ParsePointer].
func (p Pointer) Child(name string) Pointer {
	return Pointer{text: string(appendToken([]byte(p.text), name))}
}

// At is the value at a pointer. It is absent when there is none, and always absent
// below an array: a pointer never goes inside one.
func (v Value) At(p Pointer) Value {
	rest := p.text
	for rest != "" && v.kind != KindAbsent {
		token, after, more := strings.Cut(rest[1:], "/")
		rest = ""
		if more {
			rest = p.text[len(p.text)-len(after)-1:]
		}
		v.node = v.whole()
		v = v.Member(unescape(token))
	}
	return v
}

// parent is the pointer to what holds the value, and that value's name in it; false for the whole document.
func (p Pointer) parent() (parent Pointer, name string, ok bool) {
	at := strings.LastIndexByte(p.text, '/')
	if at < 0 {
		return p, "", false
	}
	return Pointer{text: p.text[:at]}, unescape(p.text[at+1:]), true
}

func unescape(token string) string {
	if strings.IndexByte(token, '~') < 0 {
		return token
	}
	// ~1 first, or "~01" would become "/" (RFC 6901 §4).
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// appendToken appends "/" and the escaped name.
func appendToken(dst []byte, name string) []byte {
	dst = append(dst, '/')
	for i := range len(name) {
		switch name[i] {
		case '~':
			dst = append(dst, '~', '0')
		case '/':
			dst = append(dst, '~', '1')
		default:
			dst = append(dst, name[i])
		}
	}
	return dst
}

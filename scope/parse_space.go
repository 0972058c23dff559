package scope

// tight is the text without the white space beside brackets, colons and commas, and around it all. What is JSON stays the
// same JSON, and what is none does not become JSON: two tokens that nothing else keeps apart stay apart. A text with a
// string that is none is left as it is.
func tight(text string) string {
	var out []byte
	from := 0 // what comes before is in out, or is left out
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			size := stringSize(text[i:])
			if size == 0 {
				return text
			}
			i += size - 1
		case ' ', '\t', '\r', '\n':
			start := i
			for i+1 < len(text) && isSpace(text[i+1]) {
				i++
			}
			if start == 0 || i+1 == len(text) || separates(text[start-1]) || separates(text[i+1]) {
				if out == nil {
					out = make([]byte, 0, len(text))
				}
				out = append(out, text[from:start]...)
				from = i + 1
			}
		}
	}
	if out == nil {
		return text
	}
	return string(append(out, text[from:]...))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func separates(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ':', ',':
		return true
	}
	return false
}

package queue

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/tidings/tidings/dispatcher"
)

// scrubFrom is the length from which a secret is looked for in answers; shorter ones would blank innocent text.
const scrubFrom = 6

// blanker takes secrets out of a text, however it spells them.
type blanker struct{ spellings []string }

// newBlanker is asked for every answer. holds reports whether what is to be blanked may hold a text: escaping a secret in
// every way takes ten times as long as all the rest, and few receivers echo.
func newBlanker(secrets []string, holds func(string) bool) blanker {
	var b blanker
	for _, s := range secrets {
		if len(s) < scrubFrom {
			continue
		}
		b.spellings = append(b.spellings, s, hex.EncodeToString([]byte(s)),
			base64.RawStdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)))
		if run := plainRun(s); len(run) < len(s) && (len(run) < scrubFrom || holds(run)) {
			b.spellings = append(b.spellings, escaped(s)...)
		}
	}
	// The longest first: one secret may hold another, and blanked in part it could not be found any more.
	slices.SortFunc(b.spellings, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	b.spellings = slices.Compact(b.spellings)
	return b
}

// escaped are the ways in which receivers escape what they echo: in JSON (also in JSON that stands in JSON), in a URL (also
// in one that stands in another's query) and in HTML.
func escaped(s string) []string {
	all := []string{html.EscapeString(s), url.QueryEscape(url.QueryEscape(s))}
	for _, once := range []string{jsonEscaped(s, true), jsonEscaped(s, false), url.QueryEscape(s), url.PathEscape(s)} {
		all = append(all, once, jsonEscaped(once, true), jsonEscaped(once, false))
	}
	return all
}

// plainRun is the longest part of a text that no escaping changes: where it is not, the text is not, either.
func plainRun(s string) (longest string) {
	for part := range strings.FieldsFuncSeq(s, special) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

func special(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.'
}

func jsonEscaped(s string, alsoHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(alsoHTML)
	if enc.Encode(s) != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// blank takes them out; of a text that was cut, also the beginning of one at its end.
func (b blanker) blank(text string, cut bool) string {
	for _, s := range b.spellings {
		text = strings.ReplaceAll(text, s, dispatcher.Redacted)
	}
	if !cut {
		return text
	}
	for _, s := range b.spellings {
		for n := min(len(s)-1, len(text)); n >= scrubFrom; n-- {
			if strings.HasSuffix(text, s[:n]) {
				return text[:len(text)-n] + dispatcher.Redacted
			}
		}
	}
	return text
}

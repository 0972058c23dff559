package dispatcher

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tidings/tidings/scope"
)

// Placeholders in a notification's URL: {order.<path>} and {configuration.<path>}, the path being member names joined
// by dots. A placeholder that opens the URL brings a whole base address and can come only from the configuration, which
// the adapter itself wrote; everywhere else the value is escaped for its place in the path or the query, so that it
// cannot bring a host, a path segment or a parameter of its own. In the authority no placeholder is allowed.

// URLTemplate is a parsed URL with placeholders.
type URLTemplate struct {
	parts []urlPart
}

type urlPart struct {
	text string   // literal, when path is nil
	path []string // placeholder: ["order", "id"]
	mode urlMode
}

type urlMode uint8

const (
	modeBase urlMode = iota
	modePath
	modeQuery
)

// ParseURLTemplate reads a URL as registered. The error says what is wrong, in words for a client.
func ParseURLTemplate(raw string) (URLTemplate, error) {
	var t URLTemplate
	rest, seen := raw, ""
	for rest != "" {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			open = len(rest)
		}
		if open > 0 {
			t.parts = append(t.parts, urlPart{text: rest[:open]})
			seen += rest[:open]
			if rest = rest[open:]; rest == "" {
				break
			}
		}
		end := strings.IndexByte(rest, '}')
		if rest[0] == '}' || end < 0 {
			return URLTemplate{}, fmt.Errorf("unbalanced brace in the URL; a placeholder is written {order.id}")
		}
		part, err := parsePlaceholder(rest[1:end], seen)
		if err != nil {
			return URLTemplate{}, err
		}
		t.parts = append(t.parts, part)
		seen += "{}"
		rest = rest[end+1:]
	}
	return t, nil
}

func parsePlaceholder(name, before string) (urlPart, error) {
	p := urlPart{path: strings.Split(name, ".")}
	if len(p.path) < 2 || (p.path[0] != "order" && p.path[0] != "configuration") {
		return p, fmt.Errorf("unknown placeholder {%s}: expected {order.<member>} or {configuration.<member>}", name)
	}
	for _, step := range p.path {
		if step == "" || strings.ContainsAny(step, "{/?#\\ ") {
			return p, fmt.Errorf("placeholder {%s} has an empty or invalid member name", name)
		}
	}
	switch {
	case before == "":
		if p.path[0] != "configuration" {
			return p, fmt.Errorf("only a {configuration...} placeholder may stand at the start of the URL")
		}
		p.mode = modeBase
	case strings.Contains(before, "?"):
		p.mode = modeQuery
	case strings.HasPrefix(before, "{}/"), pathBegun(before):
		p.mode = modePath
	default:
		return p, fmt.Errorf("placeholder {%s} stands in the host part of the URL, where none is allowed", name)
	}
	return p, nil
}

// pathBegun reports whether "scheme://authority/" is complete.
func pathBegun(before string) bool {
	_, rest, ok := strings.Cut(before, "://")
	return ok && strings.Contains(rest, "/")
}

// HasPlaceholders reports whether the URL depends on anything; else it resolves to itself.
func (t URLTemplate) HasPlaceholders() bool {
	return slices.ContainsFunc(t.parts, func(p urlPart) bool { return p.path != nil })
}

// NeedsConfiguration reports whether a placeholder refers to the adapter's configuration.
func (t URLTemplate) NeedsConfiguration() bool {
	for _, p := range t.parts {
		if len(p.path) > 0 && p.path[0] == "configuration" {
			return true
		}
	}
	return false
}

// Sample returns the URL with harmless values in place of placeholders, to be checked when it is registered; ok is
// false when the base address comes from the configuration and cannot be known yet.
func (t URLTemplate) Sample() (sample string, ok bool) { return t.sample(scope.Value{}) }

// sample takes the base address, where there is one, from a configuration.
func (t URLTemplate) sample(configuration scope.Value) (sample string, ok bool) {
	var b strings.Builder
	for _, p := range t.parts {
		switch {
		case p.path == nil:
			b.WriteString(p.text)
		case p.mode == modeBase:
			base, ok := scalarText(configuration, p.path[1:])
			if !ok || !isBase(base) {
				return "", false
			}
			b.WriteString(strings.TrimSuffix(base, "/"))
		default:
			b.WriteString("x")
		}
	}
	return b.String(), true
}

// Resolve puts the values in. A value that is missing, or is no string, number or boolean, is an error: such a
// delivery is not sent.
func (t URLTemplate) Resolve(order, configuration scope.Value) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.path == nil {
			b.WriteString(p.text)
			continue
		}
		from := order
		if p.path[0] == "configuration" {
			from = configuration
		}
		value, ok := scalarText(from, p.path[1:])
		if !ok {
			return "", fmt.Errorf("placeholder {%s} has no value", strings.Join(p.path, "."))
		}
		switch p.mode {
		case modeBase:
			if !isBase(value) {
				return "", fmt.Errorf("placeholder {%s} is no base address such as https://erp.example.com", strings.Join(p.path, "."))
			}
			b.WriteString(strings.TrimSuffix(value, "/"))
		case modePath:
			if value == "." || value == ".." { // would climb; escaped dots are normalised back by some servers
				return "", fmt.Errorf("placeholder {%s} is a path step", strings.Join(p.path, "."))
			}
			b.WriteString(url.PathEscape(value))
		case modeQuery:
			b.WriteString(url.QueryEscape(value))
		}
	}
	return b.String(), nil
}

// isBase reports whether a value has all that stands before the path: with a host missing, or a query begun, what the
// template adds would not stand where it was escaped for.
func isBase(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.Scheme != "" && u.Host != "" && !strings.ContainsAny(value, "?#")
}

func scalarText(v scope.Value, path []string) (string, bool) {
	for _, step := range path {
		v = v.Member(step)
	}
	switch v.Kind() {
	case scope.KindString:
		text, _ := v.Text()
		return text, text != ""
	case scope.KindNumber:
		return v.Number()
	case scope.KindBool:
		return string(v.JSON()), true
	}
	return "", false
}

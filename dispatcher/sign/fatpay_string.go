package sign

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// FaTPaySignedString is the text that FaTPay's scheme signs:
//
//	POSTpartner.example.com/webhook/fat-pay?x-fp-nonce=868964&x-fp-partner-id=2yQrS9A0xmM8xpfa&x-fp-timestamp=1661346861
//
// In order and without separators: the method in capitals; the domain, without scheme and without port; the path as it
// stands in the request line, "/" when empty; "?"; and, as key=value joined by "&" and sorted by key in ASCII order, the
// X-FP headers but X-FP-Signature, with their names in lower case, and the query parameters.
//
// Where the documentation is silent, this is how it is read here:
//   - The port is left out, also one that is not the scheme's own. The documentation speaks of the domain, none of its
//     examples has a port, and a receiver behind a proxy does not know under which port it was called.
//   - Names and values of query parameters are taken decoded, as "no URL encoding" says and as the receiver's framework
//     hands them over: %2B is "+", and "+" is a space.
//   - A parameter without a value is left out, whether it has a "=" or not: the English text drops what is null, the
//     Chinese one what is empty, and a query cannot tell the two apart.
//   - The path is not decoded, and the domain keeps its case.
//
// A value may hold "&" and "=", so two different queries can have one signed string; that is the scheme's.
//
// It refuses, as ErrBadURL, what has no single signed string: a parameter given twice or named like a header of the
// seal, a domain outside ASCII (write it as xn--), a query that does not parse. It refuses, as ErrBadHeader, an X-FP
// header that is there twice or whose value has a "&".
func FaTPaySignedString(method, target string, header http.Header) (string, error) {
	parts, err := fpParts(method, target, header)
	if err != nil {
		return "", err
	}
	return parts.String(), nil
}

// signedParts are what stands before the "?" of the signed string, and what stands after it.
type signedParts struct {
	head   string
	params map[string]string
}

func fpParts(method, target string, header http.Header) (signedParts, error) {
	u, err := sealableURL(method, target)
	if err != nil {
		return signedParts{}, err
	}
	params, err := fpHeaders(header)
	if err != nil {
		return signedParts{}, err
	}
	delete(params, headerFPSignature)
	if err := addQuery(params, u.RawQuery); err != nil {
		return signedParts{}, err
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return signedParts{strings.ToUpper(method) + domain(u) + path, params}, nil
}

func (p signedParts) keys() []string { return slices.Sorted(maps.Keys(p.params)) }

func (p signedParts) String() string {
	pairs := make([]string, 0, len(p.params))
	for _, key := range p.keys() {
		pairs = append(pairs, key+"="+p.params[key])
	}
	return p.head + "?" + strings.Join(pairs, "&")
}

// sealableURL words its errors without the URL, which may hold secrets.
func sealableURL(method, target string) (*url.URL, error) {
	if method == "" || strings.Trim(method, letters) != "" {
		return nil, fmt.Errorf("%w: the method must be letters", ErrBadURL)
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%w: the URL does not parse", ErrBadURL)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Errorf("%w: the URL must begin with http:// or https:// and a domain", ErrBadURL)
	}
	if strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/?#&=", r) }) {
		return nil, fmt.Errorf("%w: the domain must be ASCII, one in another script written as xn--", ErrBadURL)
	}
	return u, nil
}

func domain(u *url.URL) string {
	host := u.Hostname()
	if strings.Contains(host, ":") {
		return "[" + host + "]" // an IPv6 address, as it stands in a URL
	}
	return host
}

// fpHeaders gives the X-FP headers by lower-case name, however the map spells them.
func fpHeaders(header http.Header) (map[string]string, error) {
	found := make(map[string]string, 5)
	for name, values := range header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, fpPrefix) || len(values) == 0 {
			continue
		}
		if _, twice := found[lower]; twice || len(values) > 1 {
			return nil, fmt.Errorf("%w: %s is there more than once", ErrBadHeader, lower)
		}
		if strings.Contains(values[0], "&") {
			return nil, fmt.Errorf(`%w: %s has a "&"`, ErrBadHeader, lower)
		}
		if values[0] != "" { // an empty one is left out, as the rule says
			found[lower] = values[0]
		}
	}
	return found, nil
}

func addQuery(params map[string]string, rawQuery string) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return fmt.Errorf("%w: the query does not parse", ErrBadURL)
	}
	for _, key := range slices.Sorted(maps.Keys(query)) {
		values := query[key]
		switch {
		case strings.HasPrefix(strings.ToLower(key), fpPrefix):
			return fmt.Errorf("%w: the query has %q, which is the name of a header of the seal", ErrBadURL, key)
		case len(values) > 1:
			return fmt.Errorf("%w: the query has %q more than once", ErrBadURL, key)
		case key != "" && values[0] != "":
			params[key] = values[0]
		}
	}
	return nil
}

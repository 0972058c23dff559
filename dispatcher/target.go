package dispatcher

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/tidings/tidings/scope"
)

// ParseTarget reads a target as an operator writes it: an origin, the port may be left out.
func ParseTarget(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" ||
		(u.Scheme != "http" && u.Scheme != "https") {
		return "", errors.New("expected a target such as https://erp.example.com:443, percent-encoded")
	}
	return TargetOf(text)
}

// TargetOf returns the target of a resolved URL: scheme://host:port in one spelling. Case, the full stop of the root, the
// default port and the ways to write an IP address make no difference to who answers. URLs with the same target share
// one fate: a cap, a breaker, a line of what is parked; and a client certificate.
func TargetOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil { // not wrapped: url.Error quotes the URL, which may hold a token
		return "", errors.New("the URL cannot be read")
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), strings.TrimLeft(u.Port(), "0")
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	switch {
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "" && u.Scheme == "http":
		port = "80"
	}
	if host == "" || port == "" || strings.ContainsAny(host, "{} ") {
		return "", errors.New("the URL names no target: expected http:// or https:// and a host")
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port), nil
}

// CredentialsFor tells whom a notification's own headers are meant for: the target that it calls. Where the base address
// comes from the adapter's configuration, and that is not given or has none, it is the placeholder in the place of the
// base, with the adapter whose configuration it refers to. "" when the URL names nobody.
func (n Notification) CredentialsFor(configuration scope.Value) string {
	template, err := ParseURLTemplate(n.URL)
	if err != nil {
		return ""
	}
	if sample, ok := template.sample(configuration); ok {
		target, err := TargetOf(sample)
		if err != nil {
			return ""
		}
		return target
	}
	opening := n.URL
	if end := strings.IndexAny(opening, `/?#\`); end >= 0 { // what stands before is a part of the authority
		opening = opening[:end]
	}
	return n.AdapterID + " " + opening
}

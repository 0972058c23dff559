package outbound

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// CheckURL refuses a URL that must not be registered as a target. Its errors are worded for the person who registers
// and hold nothing of the URL, whose query may be a secret.
//
// It is a courtesy, not the guard: a name is not looked up here, and what it resolves to may change later. Every dial is
// guarded by itself. Plain http to a name other than localhost is refused here unless Config.AllowPlainHTTP is set,
// though such a name may resolve into an allowed range; Do lets the dial decide.
func (c *Client) CheckURL(raw string) error {
	u, err := parseURL(raw)
	if errors.Is(err, errScheme) {
		return errors.New("the URL must begin with https:// (or http://, where plain HTTP is allowed)")
	}
	if err != nil {
		return err
	}
	addr, literal := literalOf(u.Hostname())
	if literal && c.guard.check(addr) != nil {
		return errors.New("the URL points to an address that may not be called (private, local or reserved)")
	}
	if u.Scheme == "http" && !c.plainHTTP && !(literal && c.guard.names(addr)) {
		return errors.New("the URL must begin with https://")
	}
	return nil
}

var errScheme = errors.New("the URL must begin with https://")

// parseURL takes a URL apart and refuses one that no request may have, whatever the configuration.
func parseURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("the URL is empty")
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }) {
		return nil, errors.New("the URL holds a space or a control character")
	}
	if strings.Contains(raw, "#") {
		return nil, errors.New("the URL has a fragment (#...), which is never sent")
	}
	u, err := url.Parse(raw)
	if err != nil { // not wrapped: url.Error quotes the URL
		return nil, errors.New("the URL cannot be read")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errScheme
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password; use a header instead")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case !validPort(u):
		return nil, errors.New("the URL's port is not a number from 1 to 65535")
	case !toASCII(u) || !validHost(u.Hostname()):
		return nil, errors.New("the URL's host is neither a name nor an IP address")
	}
	return u, nil
}

// toASCII spells an international host as DNS, TLS and the Host header have it, before anybody judges it: by the same
// rules full-width digits and ideographic full stops are digits and full stops, so that such a host may be an address
// (https://www.unicode.org/reports/tr46/). A host that is ASCII stays as it was written.
func toASCII(u *url.URL) bool {
	host := u.Hostname()
	if strings.IndexFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return true
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return false
	}
	if port := u.Port(); port != "" {
		ascii += ":" + port
	}
	u.Host = ascii
	return true
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// validHost accepts an IP address without a zone (a zone names an interface of this machine) or a name. A name whose
// last label is a number is none: 127.1, 2130706433 and 0x7f000001 are addresses to many a resolver
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, func(r rune) bool { return !hostRune(r) }) {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" {
			return false
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

func hostRune(r rune) bool {
	return r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// literalOf gives the address that a host spells out. "localhost" and every name under it count as one: they are never
// asked of the open DNS (RFC 6761, section 6.3).
func literalOf(host string) (netip.Addr, bool) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil
}

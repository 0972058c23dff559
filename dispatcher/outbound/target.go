package outbound

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Target is whom a client certificate is for: https://host:port in one spelling, made by ParseTarget.
type Target string

// ParseTarget reads the origin of a receiver, https://host or https://host:port and nothing after it. Its errors are
// worded for the person who configures.
func ParseTarget(origin string) (Target, error) {
	u, err := parseURL(origin)
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" {
		return "", errors.New("the URL must begin with https://")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery {
		return "", errors.New("expected https://host:port and nothing after it")
	}
	return targetOf(u), nil
}

// targetOf gives one spelling to what is one receiver: case, the full stop of the root, the default port and the ways to
// write an IP address make no difference to who answers.
func targetOf(u *url.URL) Target {
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	if port == "" {
		port = "443"
	}
	return Target("https://" + net.JoinHostPort(host, strings.TrimLeft(port, "0")))
}

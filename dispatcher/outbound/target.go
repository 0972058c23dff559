package outbound

import (
	"errors"
	"net/url"

	"github.com/tidings/tidings/dispatcher"
)

// Target is whom a client certificate is for: dispatcher.TargetOf of an https URL, made by ParseTarget.
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

// targetOf is the target of a URL that may be called.
func targetOf(u *url.URL) Target {
	target, _ := dispatcher.TargetOf(u.Scheme + "://" + u.Host) // it has a scheme and a host
	return Target(target)
}

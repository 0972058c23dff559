package queue

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// cutFrom is the length from which a header field of an answer may have been cut.
const cutFrom = 1 << 10

// configurationOpens is how a placeholder for the adapter's configuration begins.
const configurationOpens = "{configuration."

// scrub returns what may be kept of an answer: a target that echoes the request must not carry the notification's
// secrets into Events (its headers, the values of its URL's query, what its URL has from the adapter's configuration),
// and its cookies are nobody's business.
func scrub(n *dispatcher.Notification, called string, answer outbound.Answer) (header map[string]string, body []byte) {
	b := newBlanker(secretsOf(n, called), answered(answer))
	body = answer.Body
	if len(b.spellings) > 0 {
		if text := b.blank(string(body), answer.Truncated); text != string(body) {
			body = []byte(text)
		}
	}
	if len(answer.Header) == 0 {
		return nil, body
	}
	header = make(map[string]string, len(answer.Header))
	for name := range answer.Header {
		value := answer.Header.Get(name)
		value = b.blank(value, len(value) >= cutFrom)
		if http.CanonicalHeaderKey(name) == "Set-Cookie" {
			value = dispatcher.Redacted
		}
		header[b.blank(name, false)] = value
	}
	return header, body
}

// answered tells whether an answer may hold a text: one that was cut may hold the beginning of any.
func answered(answer outbound.Answer) func(text string) bool {
	return func(text string) bool {
		if answer.Truncated || bytes.Contains(answer.Body, []byte(text)) {
			return true
		}
		for name := range answer.Header {
			if value := answer.Header.Get(name); len(value) >= cutFrom || strings.Contains(value, text) || strings.Contains(name, text) {
				return true
			}
		}
		return false
	}
}

// secretsOf lists what an answer must not tell of a request.
func secretsOf(n *dispatcher.Notification, called string) []string {
	var secrets []string
	for _, s := range n.Secrets {
		secrets = append(secrets, s.Secret.Reveal())
	}
	_, query, _ := strings.Cut(called, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, has := strings.Cut(pair, "=")
		if !has {
			value = name // a bare token
		}
		secrets = append(secrets, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, plain)
		}
	}
	var configured []string
	if strings.Contains(n.URL, configurationOpens) {
		_, configured = shown(n.URL, called)
	}
	for _, segment := range configured {
		secrets = append(secrets, segment)
		if plain, err := url.PathUnescape(segment); err == nil {
			secrets = append(secrets, plain)
		}
	}
	for _, h := range n.Headers {
		value := h.Value.Reveal()
		secrets = append(secrets, value)
		if scheme, token, ok := strings.Cut(value, " "); ok { // "Bearer x": x alone is as secret
			secrets = append(secrets, token)
			if strings.EqualFold(scheme, "Basic") {
				secrets = append(secrets, basicOf(value)...)
			}
		}
	}
	return secrets
}

// basicOf is what a receiver reads out of Basic credentials: user and password, and the password.
func basicOf(value string) []string {
	user, password, ok := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
	if !ok {
		return nil
	}
	return []string{user + ":" + password, password}
}

// shown is the URL that was called as it may be told: without the values of its query, and without those segments of its
// path that hold a value of the adapter's configuration, which it returns. What such a value opens the URL with is its
// base address, and told.
func shown(template, called string) (told string, configured []string) {
	if !strings.Contains(template, configurationOpens) {
		return dispatcher.RedactURL(called), nil
	}
	path, query, has := strings.Cut(called, "?")
	template, _, _ = strings.Cut(template, "?")
	from, to := strings.Split(template, "/"), strings.Split(path, "/")
	for i := 1; i < len(from) && i < len(to); i++ { // from the end: no value but the base address brings a slash
		if at := len(to) - i; strings.Contains(from[len(from)-i], configurationOpens) {
			configured = append(configured, to[at])
			to[at] = dispatcher.Redacted
		}
	}
	told = strings.Join(to, "/")
	if has {
		told += "?" + query
	}
	return dispatcher.RedactURL(told), configured
}

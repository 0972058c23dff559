package queue

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// scrubFrom is the length from which a secret is looked for in answers; shorter ones would blank innocent text.
const scrubFrom = 6

// scrub returns what may be kept of an answer: a target that echoes the request must not carry the notification's
// secrets into Events (its headers, the values of its URL's query), and its cookies are nobody's business.
func scrub(n dispatcher.Notification, called string, answer outbound.Answer) (header map[string]string, body []byte) {
	var secrets []string
	for _, s := range n.Secrets {
		secrets = append(secrets, s.Secret.Reveal())
	}
	_, query, _ := strings.Cut(called, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, has := strings.Cut(pair, "=")
		if !has {
			value = name // a bare token
		}
		secrets = append(secrets, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, plain)
		}
	}
	for _, h := range n.Headers {
		secrets = append(secrets, h.Value.Reveal())
		if _, token, ok := strings.Cut(h.Value.Reveal(), " "); ok { // "Bearer x": x alone is as secret
			secrets = append(secrets, token)
		}
	}
	body = answer.Body
	for _, s := range secrets {
		if len(s) >= scrubFrom {
			body = bytes.ReplaceAll(body, []byte(s), []byte(dispatcher.Redacted))
		}
	}
	if len(answer.Header) == 0 {
		return nil, body
	}
	header = make(map[string]string, len(answer.Header))
	for name := range answer.Header {
		value := answer.Header.Get(name)
		for _, s := range secrets {
			if len(s) >= scrubFrom {
				value = strings.ReplaceAll(value, s, dispatcher.Redacted)
			}
		}
		if http.CanonicalHeaderKey(name) == "Set-Cookie" {
			value = dispatcher.Redacted
		}
		header[name] = value
	}
	return header, body
}

package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// diagnose finds out whether a seal that does not match would match the body that Tidings must have sent. That is proof
// that the key is right; it is no reason to take the body.
func diagnose(r *http.Request, body []byte, err error, check func([]byte) error) error {
	altered := func(why string) error { return fmt.Errorf("%w: %s (%w)", ErrAltered, why, err) }
	var compact bytes.Buffer
	notJSON := json.Compact(&compact, body)
	switch {
	case len(body) == 0:
		return altered("it is empty, and no body of Tidings' is: was it read before?")
	case r.ContentLength >= 0 && r.ContentLength != int64(len(body)):
		return altered(fmt.Sprintf("it has %d bytes, Content-Length says %d", len(body), r.ContentLength))
	case check(bytes.TrimSpace(body)) == nil:
		return altered("the seal holds without the white space around it, so the key is right")
	case notJSON != nil:
		return altered("it is not JSON, and every body of Tidings' is")
	case check(compact.Bytes()) == nil:
		return altered("the seal holds without the white space in it, so the key is right: verify the bytes as received, not JSON written anew")
	case check(unescapeHTML(compact.Bytes())) == nil:
		return altered(`the seal holds with &, < and > as themselves, so the key is right: verify the bytes as received, not JSON written anew`)
	}
	return fmt.Errorf("%w: either the key is not the sender's, or the id, the timestamp or the body was altered", err)
}

// unescapeHTML undoes what some JSON writers do.
func unescapeHTML(text []byte) []byte {
	for escaped, plain := range map[string]string{`\u0026`: "&", `\u003c`: "<", `\u003e`: ">"} {
		text = bytes.ReplaceAll(text, []byte(escaped), []byte(plain))
	}
	return text
}

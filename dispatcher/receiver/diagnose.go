package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// alteration finds out whether a seal that does not hold would hold for the body that Tidings must have sent, and says
// what was done to it; "" when that cannot be told. A seal that would hold is proof that the key is right; it is no reason
// to take the body.
func alteration(r *http.Request, body []byte, check func([]byte) error) string {
	var compact bytes.Buffer
	notJSON := json.Compact(&compact, body)
	switch {
	case len(body) == 0:
		return "it is empty, and no body of Tidings' is: was it read before?"
	case r.ContentLength >= 0 && r.ContentLength != int64(len(body)):
		return fmt.Sprintf("it has %d bytes, Content-Length says %d", len(body), r.ContentLength)
	case check(bytes.TrimSpace(body)) == nil:
		return "the seal holds without the white space around it, so the key is right"
	case notJSON != nil:
		return "it is not JSON, and every body of Tidings' is"
	case check(compact.Bytes()) == nil:
		return "the seal holds without the white space in it, so the key is right: verify the bytes as received, not JSON written anew"
	case check(unescapeHTML(compact.Bytes())) == nil:
		return "the seal holds with &, < and > as themselves, so the key is right: verify the bytes as received, not JSON written anew"
	}
	return ""
}

// unescapeHTML undoes what some JSON writers do.
func unescapeHTML(text []byte) []byte {
	for escaped, plain := range map[string]string{`\u0026`: "&", `\u003c`: "<", `\u003e`: ">"} {
		text = bytes.ReplaceAll(text, []byte(escaped), []byte(plain))
	}
	return text
}

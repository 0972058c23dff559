package wire_test

import (
	"bytes"
	"testing"
)

func TestFaTPayBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ document, options, want string }{
		{`{"a":93.09000000}`, `{"partnerId":"p"}`, `{"order":{"id":"o_yClTSySjyAuuBjmiBlHCjuEcTf","a":93.09000000}}`},
		{`{"a":93.09000000}`, `{"partnerId":"p","wrap":true}`, `{"order":{"id":"o_yClTSySjyAuuBjmiBlHCjuEcTf","a":93.09000000}}`},
		{`{"a":93.09000000}`, `{"partnerId":"p","wrap":false}`, `{"id":"o_yClTSySjyAuuBjmiBlHCjuEcTf","a":93.09000000}`},
		{`{"a":1,"id":"mine"}`, `{"partnerId":"p"}`, `{"order":{"a":1,"id":"mine"}}`}, // in its place
		{`{"a":1,"id":null}`, `{"partnerId":"p"}`, `{"order":{"a":1,"id":null}}`},     // as written
		{`{"order":{"order":1}}`, `{"partnerId":"p","wrap":false}`, `{"id":"o_yClTSySjyAuuBjmiBlHCjuEcTf","order":{"order":1}}`},
		// The signer's options are not seen in the body.
		{`{"a":1}`, `{"partnerId":"p","versionHeader":true}`, `{"order":{"id":"o_yClTSySjyAuuBjmiBlHCjuEcTf","a":1}}`},
	} {
		m := with(t, message(t, "fatpay", []byte(tt.document)), tt.options)
		if got := string(render(t, format(t, "fatpay"), m).Body); got != tt.want {
			t.Errorf("%s %s\n got %s\nwant %s", tt.document, tt.options, got, tt.want)
		}
	}
}

// Unlike the golden body, this cannot be written anew by mistake.
func TestFaTPayKeepsDecimals(t *testing.T) {
	t.Parallel()
	for _, options := range []string{`{"partnerId":"p"}`, `{"partnerId":"p","wrap":false}`} {
		body := render(t, format(t, "fatpay"), with(t, message(t, "fatpay", read(t, "fatpay.order.json")), options)).Body
		for _, text := range []string{`"cryptoCurrencyAmount":93.09000000,`, `?a=1&b=2`} {
			if !bytes.Contains(body, []byte(text)) {
				t.Errorf("%s is not in %s", text, body)
			}
		}
	}
}

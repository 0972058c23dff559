package wire_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

func TestCheckOptions(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1025)
	for _, tt := range []struct{ format, options, want string }{ // the pointers of the faults, separated by a space
		{"norce", ``, ""},
		{"norce", `{}`, ""},
		{"norce", `{"version":"v0"}`, ""},
		{"norce", `{"version":"v1"}`, ""},
		{"norce", `{"version":"v2"}`, "/version"},
		{"norce", `{"version":1}`, "/version"},
		{"norce", `{"version":null}`, "/version"},
		{"norce", `{"Version":"v1","a/b~c":1}`, "/Version /a~1b~0c"},

		{"fbpi", ``, ""},
		{"fbpi", `{"eventType":"FBPI::ORDER_SYNC","projectCode":"<project_code>","destinationId":"dest-xyz"}`, ""},
		{"fbpi", `{"eventType":"RETURNS::REFERENCE_UPDATE"}`, ""},
		{"fbpi", `{"eventType":"ORDER_SYNC"}`, "/eventType"},
		{"fbpi", `{"eventType":"::ORDER_SYNC"}`, "/eventType"},
		{"fbpi", `{"eventType":"FBPI::"}`, "/eventType"},
		{"fbpi", `{"eventType":"FBPI:ORDER"}`, "/eventType"},
		{"fbpi", `{"eventType":"FBPI::ORDER SYNC"}`, "/eventType"},
		{"fbpi", `{"eventType":"FBPI::ORDER_SYNC\n"}`, "/eventType"},
		{"fbpi", `{"eventType":"A::B::C"}`, "/eventType"},
		{"fbpi", `{"eventType":1,"projectCode":true,"destinationId":[],"partnerId":"x"}`, "/eventType /projectCode /destinationId /partnerId"},
		{"fbpi", `{"projectCode":"","destinationId":"` + long + `"}`, "/projectCode /destinationId"},

		{"probo", ``, ""},
		{"probo", `{"message":"Your order moved"}`, ""},
		{"probo", `{"message":""}`, "/message"},
		{"probo", `{"message":{"en":"x"}}`, "/message"},

		{"fatpay", ``, "/partnerId"},
		{"fatpay", `{}`, "/partnerId"},
		{"fatpay", `{"partnerId":"2yQrS9A0xmM8xpfa"}`, ""},
		{"fatpay", `{"partnerId":"2yQrS9A0xmM8xpfa","wrap":false,"versionHeader":true}`, ""},
		{"fatpay", `{"partnerId":"a&x-fp-nonce=1"}`, "/partnerId"}, // it would say more than one thing in the signed string
		{"fatpay", `{"partnerId":"a\r\nX-Other: 1"}`, "/partnerId"},
		{"fatpay", `{"partnerId":17}`, "/partnerId"},
		{"fatpay", `{"partnerId":"p","wrap":"false","versionHeader":1}`, "/wrap /versionHeader"},
		{"fatpay", `{"partnerID":"p"}`, "/partnerId /partnerID"},

		{"cloudevents", ``, ""},
		{"cloudevents", `{"mode":"structured","source":"/mycontext","type":"com.example.someevent"}`, ""},
		{"cloudevents", `{"mode":"binary","source":"https://h.example/a?b=%20#c","type":"Euro € 😀"}`, ""},
		{"cloudevents", `{"source":"urn:event:from:myapi/resource/123"}`, ""},
		{"cloudevents", `{"mode":"batch"}`, "/mode"},
		{"cloudevents", `{"source":"a b"}`, "/source"},
		{"cloudevents", `{"source":"/é"}`, "/source"}, // an IRI, not a URI
		{"cloudevents", `{"source":"/%zz"}`, "/source"},
		{"cloudevents", `{"source":"http://[::1"}`, "/source"},
		{"cloudevents", `{"type":"a\u0000"}`, "/type"},
		{"cloudevents", `{"type":"a\u0085"}`, "/type"},
		{"cloudevents", `{"type":"a\ufdd0"}`, "/type"},
		{"cloudevents", `{"type":"a\uffff"}`, "/type"},
		{"cloudevents", `{"type":"","source":"","mode":""}`, "/mode /source /type"},
		{"cloudevents", `{"id":"mine","subject":"mine"}`, "/id /subject"}, // ours

		{"thin", ``, ""},
		{"thin", `{}`, ""},
		{"thin", `{"a":null}`, "/a"},
	} {
		var options scope.Value
		if tt.options != "" {
			options = value(t, []byte(tt.options))
		}
		faults := format(t, tt.format).CheckOptions(options)
		if got := pointers(faults); got != tt.want {
			t.Errorf("%s %.80s: faults at %q, want %q", tt.format, tt.options, got, tt.want)
		}
		for _, f := range faults {
			if f.Detail == "" {
				t.Errorf("%s %.80s: %s has no detail", tt.format, tt.options, f.Pointer)
			}
		}
	}
}

func pointers(faults scope.Faults) string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Pointer)
	}
	return strings.Join(all, " ")
}

func TestCheckOptionsOfEveryFormat(t *testing.T) {
	t.Parallel()
	many := []byte(`{"x":0`)
	for i := range 5000 {
		many = append(many, `,"x`+strconv.Itoa(i)+`":0`...)
	}
	options := value(t, append(many, '}'))
	for _, name := range wire.Names() {
		f := format(t, name)
		for _, notAnObject := range []string{`null`, `[]`, `"x"`, `1`, `true`} {
			faults := f.CheckOptions(value(t, []byte(notAnObject)))
			if len(faults) != 1 || faults[0].Pointer != "" || !strings.HasPrefix(faults[0].Detail, "expected object, got ") {
				t.Errorf("%s: options %s: %v", name, notAnObject, faults)
			}
		}
		if n := len(f.CheckOptions(options)); n != 101 { // the last says that there are more
			t.Errorf("%s: %d faults of 5000", name, n)
		}
	}
}

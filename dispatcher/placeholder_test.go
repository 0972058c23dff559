package dispatcher_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

const (
	anOrder = `{"id":"1001","slash":"a/b","up":"..","here":".","many":"a/../../b","query":"?x=1","hash":"#x","and":"a&b=c",
		"percent":"%2F%2e","space":"a b","plus":"a+b","word":"Größe 漢","lines":"a\r\nHost: x","back":"\\","at":"@evil.example",
		"number":93.09000000,"yes":true,"no":false,"deep":{"er":{"id":7}},"nothing":null,"list":[1],"object":{"a":1},"empty":""}`
	aConfiguration = `{"adapter":{"internalUrl":"https://erp.example.com/base/"},"bare":"https://erp.example.com:8443",
		"token":"t/1","asked":"https://erp.example.com/?x=","part":"https://erp.example.com/#","schemeless":"erp.example.com",
		"hostless":"https://","pathonly":"/p","number":5}`
)

func TestURLTemplateResolves(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ raw, want string }{ // want "": not to be resolved
		{"https://h/p?x=1", "https://h/p?x=1"},
		{"https://h/%2F%7B?x=%zz", "https://h/%2F%7B?x=%zz"}, // what was registered is left alone
		{"https://h/o/{order.id}/x", "https://h/o/1001/x"},
		{"https://h/{order.id}{order.deep.er.id}.json", "https://h/10017.json"},
		{"https://h/{order.number}/{order.yes}/{order.no}", "https://h/93.09000000/true/false"}, // numbers keep their text
		// A value is one segment, whatever it holds.
		{"https://h/{order.slash}/x", "https://h/a%2Fb/x"},
		{"https://h/a/{order.up}/x", ""}, // would climb, escaped or not
		{"https://h/a/{order.here}/x", ""},
		{"https://h/a/{order.many}", "https://h/a/a%2F..%2F..%2Fb"},
		{"https://h/{order.query}", "https://h/%3Fx=1"},
		{"https://h/{order.hash}", "https://h/%23x"},
		{"https://h/{order.percent}", "https://h/%252F%252e"},
		{"https://h/{order.space}", "https://h/a%20b"},
		{"https://h/{order.word}", "https://h/Gr%C3%B6%C3%9Fe%20%E6%BC%A2"},
		{"https://h/{order.lines}", "https://h/a%0D%0AHost:%20x"},
		{"https://h/{order.back}", "https://h/%5C"},
		{"https://h/{order.at}", "https://h/@evil.example"}, // behind the slash it is a plain character
		{"https://h/{configuration.token}", "https://h/t%2F1"},
		// A value is one value of one parameter.
		{"https://h/?a={order.and}&b=1", "https://h/?a=a%26b%3Dc&b=1"},
		{"https://h?a={order.hash}", "https://h?a=%23x"}, // no path is needed
		{"https://h/?a={order.plus}&b={order.space}", "https://h/?a=a%2Bb&b=a+b"},
		{"https://h/?a={order.word}", "https://h/?a=Gr%C3%B6%C3%9Fe+%E6%BC%A2"},
		{"https://h/?{order.query}=1", "https://h/?%3Fx%3D1=1"},
		// The configuration may bring the address, as in Norce's example.
		{"{configuration.adapter.internalUrl}/api/v1/callbacks/orders/{order.id}/x", "https://erp.example.com/base/api/v1/callbacks/orders/1001/x"},
		{"{configuration.bare}/x?up={order.up}&a={order.and}", "https://erp.example.com:8443/x?up=..&a=a%26b%3Dc"},
		{"{configuration.bare}?a={order.id}", "https://erp.example.com:8443?a=1001"},
		{"{configuration.bare}", "https://erp.example.com:8443"},
		// What is no address cannot open a URL: the parts behind it would stand elsewhere than they were escaped for.
		{"{configuration.asked}/{order.and}", ""},
		{"{configuration.part}/{order.id}", ""},
		{"{configuration.schemeless}/{order.id}", ""},
		{"{configuration.hostless}/{order.id}", ""}, // or the order would name the host
		{"{configuration.pathonly}/{order.id}", ""},
		{"{configuration.number}/{order.id}", ""},
		{"{configuration.absent}/{order.id}", ""},
		// No value, or none that is a text.
		{"https://h/{order.absent}", ""}, {"https://h/{order.nothing}", ""}, {"https://h/{order.empty}", ""},
		{"https://h/{order.list}", ""}, {"https://h/{order.object}", ""}, {"https://h/{order.list.0}", ""},
		{"https://h/{order.id.x}", ""}, {"https://h/?a={configuration.absent}", ""}, {"https://h/{configuration.adapter}", ""},
	} {
		template, err := dispatcher.ParseURLTemplate(row.raw)
		if err != nil {
			t.Errorf("%s is refused: %v", row.raw, err)
			continue
		}
		got, err := template.Resolve(value(t, anOrder), value(t, aConfiguration))
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s\n got %q, %v\nwant %q", row.raw, got, err, row.want)
		}
	}
}

func TestURLTemplateRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ raw, says string }{
		{"https://h/{order.id", "unbalanced"}, {"https://h/order.id}", "unbalanced"}, {"https://h/}{order.id}", "unbalanced"},
		{"https://h/{{order.id}}", "unknown placeholder"}, {"{", "unbalanced"}, {"}", "unbalanced"},
		{"https://h/{}", "unknown placeholder"}, {"https://h/{id}", "unknown placeholder"}, {"https://h/{order}", "unknown placeholder"},
		{"https://h/{customer.id}", "unknown placeholder"}, {"https://h/{ order.id}", "unknown placeholder"},
		{"https://h/{order.}", "invalid member name"}, {"https://h/{order..id}", "invalid member name"},
		{"https://h/{order.a/b}", "invalid member name"}, {"https://h/{order.a b}", "invalid member name"},
		{"https://{order.id}/", "host"}, {"https://{configuration.host}/", "host"}, {"https://h.{order.id}.example/", "host"},
		{"https://h:{configuration.port}/", "host"}, {"https://h{order.id}", "host"}, {"https:{order.id}", "host"},
		{"{configuration.base}{order.id}/", "host"},      // it would go on with the host
		{"{configuration.base}:{order.id}/", "host"},     // or its port
		{"{configuration.scheme}://{order.id}/", "host"}, // or be the host
		{"h/{order.id}", "host"},                         // no scheme: it is not known where the path begins
		{"{order.url}/x", "configuration"}, {"{order.url}", "configuration"},
	} {
		_, err := dispatcher.ParseURLTemplate(row.raw)
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want an error that says %q", row.raw, err, row.says)
		}
	}
}

func TestURLTemplateSample(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		raw, sample       string
		whole, configured bool
	}{
		{"https://h/p?x=1", "https://h/p?x=1", true, false},
		{"https://h/{order.id}?a={order.b}", "https://h/x?a=x", true, false},
		{"https://h/{configuration.a}", "https://h/x", true, true},
		{"{configuration.a}/x", "", false, true}, // not to be known yet
	} {
		template, err := dispatcher.ParseURLTemplate(row.raw)
		if err != nil {
			t.Fatal(err)
		}
		sample, whole := template.Sample()
		if sample != row.sample || whole != row.whole || template.NeedsConfiguration() != row.configured {
			t.Errorf("%s: sample %q, %v, needs configuration %v; want %+v", row.raw, sample, whole, template.NeedsConfiguration(), row)
		}
	}
}

// What is taken as a template can be filled, and no order decides where it leads.
func FuzzParseURLTemplate(f *testing.F) {
	for _, seed := range []string{"https://h/p?x=1", "https://h/{order.id}?a={order.b}#", "{configuration.a}/x", "{configuration.a}{order.b}", "{order.a}", "https://{order.a}/",
		"https://h:{order.a}/", "{", "}", "{}", "{{order.a}}", "{order.a.b.c}", "{configuration..a}", "https://h/{order.id", "//h/{order.a}", "https:/{order.a}", "https:\\\\h\\{order.a}", "?{order.a}"} {
		f.Add(seed, "1001")
		f.Add(seed, "@evil.example/")
	}
	configuration := scope.Object(scope.Member{Name: "a", Value: scope.String("https://erp.example.com/base")})
	f.Fuzz(func(t *testing.T, raw, value string) {
		template, err := dispatcher.ParseURLTemplate(raw)
		if err != nil {
			return
		}
		if sample, whole := template.Sample(); whole && strings.ContainsAny(sample, "{}") {
			t.Fatalf("%q: the sample %q holds a placeholder", raw, sample)
		}
		every := func(text string) scope.Value { // whatever the template asks for, three levels down
			v := scope.String(text)
			for range 3 {
				v = scope.Object(scope.Member{Name: "a", Value: v}, scope.Member{Name: "b", Value: v}, scope.Member{Name: "id", Value: v}, scope.Member{Name: "c", Value: v})
			}
			return v
		}
		for _, order := range []scope.Value{{}, every(value), scope.Object(scope.Member{Name: "a", Value: scope.String(value)}, scope.Member{Name: "id", Value: scope.String(value)})} {
			got, err := template.Resolve(order, configuration)
			if err != nil {
				continue
			}
			plain, plainErr := template.Resolve(scope.Object(scope.Member{Name: "a", Value: scope.String("x")}, scope.Member{Name: "id", Value: scope.String("x")}), configuration)
			to, toErr := url.Parse(got)
			if plainErr != nil || toErr != nil {
				continue // the door refuses what cannot be read (outbound.CheckURL)
			}
			usual, err := url.Parse(plain)
			if err == nil && (to.Scheme != usual.Scheme || to.Host != usual.Host || to.User.String() != usual.User.String()) {
				t.Fatalf("%q with %q leads to %q, with x to %q", raw, value, got, plain)
			}
		}
	})
}

func FuzzURLTemplateHoldsValues(f *testing.F) {
	for _, seed := range []string{"1001", "..", ".", "/", "a/../b", "?a=b", "&b=c", "#", "%2F", "@evil.example", ":80", "\\", "//", ";", "\r\n", "漢", "x\x00", "=", " "} {
		f.Add(seed)
	}
	parts := []struct{ raw, plain string }{ // plain: with a harmless value
		{"https://h.example:8443/a/{order.v}/b?p=1&q={order.v}&r=2", "https://h.example:8443/a/x/b?p=1&q=x&r=2"},
		{"https://h.example/pre{order.v}post?{order.v}=1", "https://h.example/prexpost?x=1"},
		{"https://h.example/{order.v}", "https://h.example/x"},
		{"https://h.example/{order.v}/{order.v}", "https://h.example/x/x"},
		{"https://h.example?q={order.v}", "https://h.example?q=x"},
		{"{configuration.base}/{order.v}?q={order.v}", "https://erp.example.com/base/x?q=x"},
	}
	configuration := scope.Object(scope.Member{Name: "base", Value: scope.String("https://erp.example.com/base/")})
	f.Fuzz(func(t *testing.T, text string) {
		document := scope.Object(scope.Member{Name: "v", Value: scope.String(text)})
		v, _ := document.Member("v").Text() // what JSON makes of it
		if v == "" || v == "." || v == ".." {
			t.Skip("an empty value is none, and path steps are refused")
		}
		for _, part := range parts {
			template, err := dispatcher.ParseURLTemplate(part.raw)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := template.Resolve(document, configuration)
			if err != nil {
				t.Fatalf("%s with %q: %v", part.raw, v, err)
			}
			holdsValue(t, raw, part.plain, v)
		}
	})
}

// holdsValue sees that a URL differs from the one with the harmless value "x" in nothing but that value.
func holdsValue(t *testing.T, raw, plain, v string) {
	t.Helper()
	got, err := url.Parse(raw)
	want, _ := url.Parse(plain)
	if err != nil {
		t.Fatalf("with %q: %v", v, err)
	}
	if got.Scheme != want.Scheme || got.Host != want.Host || got.User != nil || got.Fragment != "" || strings.Contains(raw, "#") {
		t.Fatalf("with %q: %s, want the address of %s", v, raw, plain)
	}
	have, need := strings.Split(got.EscapedPath(), "/"), strings.Split(want.EscapedPath(), "/")
	if len(have) != len(need) {
		t.Fatalf("with %q: path %s, want as deep as %s", v, got.EscapedPath(), want.EscapedPath())
	}
	for i, segment := range have {
		if segment == "." || segment == ".." {
			t.Fatalf("with %q: path %s climbs", v, got.EscapedPath())
		}
		plainSegment, _ := url.PathUnescape(need[i])
		if text, err := url.PathUnescape(segment); err != nil || text != plainSegment && text != strings.Replace(plainSegment, "x", v, 1) {
			t.Fatalf("with %q: segment %q, %v; want %q", v, segment, err, plainSegment)
		}
	}
	query, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		t.Fatalf("with %q: query %s: %v", v, got.RawQuery, err)
	}
	for name, values := range want.Query() {
		if name == "x" {
			name = v
		}
		if values[0] == "x" {
			values[0] = v
		}
		if len(query[name]) != 1 || query[name][0] != values[0] {
			t.Fatalf("with %q: query %s, want %q to be %q", v, got.RawQuery, name, values[0])
		}
		delete(query, name)
	}
	if len(query) > 0 {
		t.Fatalf("with %q: query %s has parameters of its own: %v", v, got.RawQuery, query)
	}
}

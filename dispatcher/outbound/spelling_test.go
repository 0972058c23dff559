package outbound_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// spellings are ways to write an address of this machine so that it does not look like one.
var spellings = []struct{ host, why string }{
	{"127.1", "parts left out, as inet_aton reads it"},
	{"2130706433", "127.0.0.1 as one decimal number"},
	{"017700000001", "as one octal number"},
	{"0x7f000001", "as one hexadecimal number"},
	{"0X7F000001", "in capitals"},
	{"0x7f.1", "hexadecimal and short"},
	{"127.0x1", "the hexadecimal part last"},
	{"0177.0.0.1", "one octal part"},
	{"127.0.0.01", "a leading zero: octal to some, decimal to others"},
	{"127.0.0.1.", "with a full stop after it"},
	{"127.0.0.1.5", "one part too many"},
	{"256.0.0.1", "no address, and no name either"},
	{"\uff11\uff12\uff17.0.0.1", "full-width digits, digits to IDNA"},
	{"\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11", "full-width digits and full stops"},
	{"127\u30020\u30020\u30021", "ideographic full stops"},
	{"\u2460\u2461\u2466.0.0.1", "digits in circles"},
	{"%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", "full-width digits, escaped"},
	{"%31%32%37.0.0.1", "plain digits, escaped"},
	{"1\u00ad27.0.0.1", "a soft hyphen, which IDNA drops"},
	{"\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54", "localhost in full width"},
	{"localhost\u3002", "localhost and an ideographic full stop"},
	{"localhost", "the name itself"},
	{"LocalHost", "in capitals"},
	{"localhost.", "with its root"},
	{"localhost..", "with two roots"},
	{"foo.localhost", "every name below it is this machine (RFC 6761)"},
	{"foo.LOCALHOST.", "likewise"},
	{"[fe80::1%25eth0]", "a zone names an interface of this machine"},
	{"[::1%25lo]", "likewise"},
	{"[::1%251]", "a zone by its number"},
	{"[::\uff11]", "a full-width digit in brackets"},
	{"[::ffff:127.0.0.1]", "IPv4-mapped"},
	{"[::ffff:7f00:1]", "IPv4-mapped, in hexadecimal"},
	{"[0:0:0:0:0:0:0:1]", "nothing left out"},
	{"[::127.0.0.1]", "IPv4-compatible"},
	{"::1", "without brackets: is the 1 a port?"},
}

func TestNoSpellingIsRegistered(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{AllowPlainHTTP: true})
	for _, row := range spellings {
		for _, url := range []string{"http://" + row.host + "/", "https://" + row.host + ":8443/"} {
			if err := c.CheckURL(url); err == nil {
				t.Errorf("%q (%s) was taken", url, row.why)
			}
		}
	}
}

// What CheckURL never saw, because a placeholder was filled in, meets the same at the dial. The names get the address
// from the resolver or from this machine's own list of hosts.
func TestNoSpellingIsDialled(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{AllowPlainHTTP: true, Resolver: resolver(t, netip.MustParseAddr("127.0.0.1"))})
	for _, row := range spellings {
		got := c.Do(context.Background(), outbound.Request{URL: "http://" + row.host + "/"})
		if got.Reason != dispatcher.ReasonBlockedAddress && got.Reason != dispatcher.ReasonBadURL || got.Sent != dispatcher.SentNo {
			t.Errorf("%q (%s): %+v", row.host, row.why, got)
		}
	}
}

func TestInternationalNamesAreNames(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{})
	for _, row := range []struct{ host, why string }{
		{"b\u00fccher.example", "as a person writes it"},
		{"xn--bcher-kva.example", "as DNS has it"},
		{"B\u00dcCHER.example", "in capitals"},
		{"\u4f8b\u3048.\u30c6\u30b9\u30c8", "no Latin letter at all"},
		{"\uff45xample.com", "a full-width letter is a letter"},
		{"my_service.example.com", "an underscore, which IDNA refuses and DNS does not"},
		{"notlocalhost.example", "only labels count"},
		{"localhost.example.com", "a name like any other"},
	} {
		if err := c.CheckURL("https://" + row.host + ":8443/"); err != nil {
			t.Errorf("%s (%s): %v", row.host, row.why, err)
		}
	}
	for _, host := range []string{"a\uff0fb.example", "a\uff20b.example", "\uff1a1.example"} { // look like / @ :
		if err := c.CheckURL("https://" + host + "/"); err == nil || !strings.Contains(err.Error(), "neither a name nor an IP") {
			t.Errorf("%q: %v", host, err)
		}
	}
}

package outbound_test

import (
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher/outbound"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	strict, dev := client(t, outbound.Config{}), local(t)
	plain := client(t, outbound.Config{AllowPlainHTTP: true})
	for _, row := range []struct {
		by   *outbound.Client
		url  string
		want string // part of the error; "" for a good URL
	}{
		{strict, "https://erp.example.com/orders?token=a%20b;c", ""},
		{strict, "https://erp.example.com:8443", ""},
		{strict, "HTTPS://bücher.example/ä?ö", ""},
		{strict, "https://my_service.example.com/", ""}, // an underscore is no host name by RFC 952, but lives in DNS
		{strict, "https://example.com./", ""},
		{strict, "", "empty"},
		{strict, "erp.example.com/orders", "begin with https://"},
		{strict, "//erp.example.com/orders", "begin with https://"},
		{strict, "ftp://erp.example.com/", "begin with https:// (or http://, where plain HTTP is allowed)"},
		{strict, "file:///etc/passwd", "begin with https://"},
		{strict, "https:erp.example.com", "no host"},
		{strict, "https:///orders", "no host"},
		{strict, "https://:443/", "no host"},
		{strict, "https://user:s3cret@example.com/", "user name or password"},
		{strict, "https://s3cret@example.com/", "user name or password"},
		{strict, "https://example.com/#part", "fragment"},
		{strict, "https://example.com/#", "fragment"},
		{strict, "https://example.com:/", "port"},
		{strict, "https://example.com:0/", "port"},
		{strict, "https://example.com:65536/", "port"},
		{strict, "https://example.com:s3cret/", "cannot be read"},
		{strict, "https://example.com/a b", "space or a control"},
		{strict, " https://example.com/", "space or a control"},
		{strict, "https://example.com/\r\nX-Evil:1", "space or a control"},
		{strict, "https://example.com/\u200bs3cret", "space or a control"}, // zero width: seen by nobody
		{strict, "https://example.com/\xff", "space or a control"},
		{strict, "https://example.com/%zz?s3cret", "cannot be read"},
		{strict, "https://exa$mple.com/", "neither a name nor an IP"},
		{strict, "https://example..com/", "neither a name nor an IP"},
		{strict, "https://./", "neither a name nor an IP"},
		{strict, "https://" + strings.Repeat("a.", 130) + "com/", "neither a name nor an IP"}, // longer than DNS carries
		{strict, "https://[fe80::1%25eth0]/", "neither a name nor an IP"},                     // a zone of this machine
		{strict, "https://localhost/", "may not be called"},
		{strict, "https://LOCALHOST./", "may not be called"},
		{strict, "http://example.com/", "begin with https://"},
		{strict, "http://1.1.1.1/", "begin with https://"},
		{plain, "http://example.com/", ""},
		{plain, "http://127.0.0.1/", "may not be called"}, // plain HTTP opens no range
		{dev, "http://127.0.0.1:8080/hook", ""},
		{dev, "http://[::1]:8080/hook", ""},
		{dev, "http://localhost:8080/hook", ""},
		{dev, "https://localhost/hook", ""},
		{dev, "http://10.0.0.1/", "may not be called"},
		{dev, "http://1.1.1.1/", "begin with https://"}, // public, so not inside AllowTargets
		{dev, "http://erp.internal/", "begin with https://"},
	} {
		err := row.by.CheckURL(row.url)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%q: %v", row.url, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%q: %v, want %q", row.url, err, row.want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%q: the error repeats the URL: %v", row.url, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/", "http://[::1]:1/?a;b", "https://u:p@h/", "https://h:0x1/", "https:\\\\h", "https://%31/"} {
		f.Add(seed)
	}
	c := local(f)
	f.Fuzz(func(t *testing.T, raw string) {
		if err := c.CheckURL(raw); err == nil && strings.ContainsAny(raw, " \r\n\t\x00#") {
			t.Errorf("%q passed", raw)
		}
	})
}

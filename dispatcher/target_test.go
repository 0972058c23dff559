package dispatcher_test

import (
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

func TestCredentialsFor(t *testing.T) {
	t.Parallel()
	configuration := value(t, `{"base":"https://ERP.example.com/","other":"no address"}`)
	for _, row := range []struct {
		url, want string
		given     scope.Value
	}{
		{"https://H.example.:443/p?token=x", "https://h.example:443", scope.Value{}},
		{"https://h.example/{order.id}?k={configuration.key}", "https://h.example:443", scope.Value{}},
		{"{configuration.base}/p", "https://erp.example.com:443", configuration},
		{"{configuration.base}.evil.example/p", "https://erp.example.com.evil.example:443", configuration},
		{"{configuration.base}/p", "erp {configuration.base}", scope.Value{}},
		{"{configuration.base}.evil.example?p", "erp {configuration.base}.evil.example", scope.Value{}},
		{"{configuration.other}/p", "erp {configuration.other}", configuration},
		{"{configuration.none}", "erp {configuration.none}", configuration},
		{"{order.id}/p", "", configuration}, // no URL
		{"mailto:x", "", configuration},
	} {
		if got := (dispatcher.Notification{AdapterID: "erp", URL: row.url}).CredentialsFor(row.given); got != row.want {
			t.Errorf("%s: %q, want %q", row.url, got, row.want)
		}
	}
}

// A target as somebody writes it is found among URLs as Events tell them.
func TestATargetIsThatOfAToldURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ written, told string }{
		{"https://erp.example.com", "https://ERP.example.com.:443/p?token=******"},
		{"HTTP://erp.example.com:80/", "http://erp.example.com"},
		{"https://******", "https://******/p"}, // a base address of a configuration
		{"https://[::1]:8443", "https://******@[0:0::1]:8443/p"},
	} {
		written, err := dispatcher.ParseTarget(row.written)
		told, fault := dispatcher.TargetOf(row.told)
		if err != nil || fault != nil || written != told {
			t.Errorf("%s is %s, %v; %s is of %s, %v", row.written, written, err, row.told, told, fault)
		}
	}
}

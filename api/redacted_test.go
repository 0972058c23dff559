package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Who may register is not shown the values of headers, and must not have them sent to a place of his own either.
func TestRedactedHeadersStayWithTheirTarget(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		one := func(url, adapter, key string) string {
			return fmt.Sprintf(`{"id":"n1","url":%q,"scope":"/a","adapterId":%q,"reference":"export","headers":{"X-Api-Key":%q}}`, url, adapter, key)
		}
		const list, base = "/notifications", "{configuration.adapter.internalUrl}"
		for i, row := range []struct {
			from, to, adapter string // of erp, then of adapter
			kept              bool
		}{
			{"https://h.example/p", "https://h.example/other?a=1", "erp", true},
			{"https://h.example/p", "https://H.example.:443/p", "erp", true}, // who is called is the same
			{"https://h.example/p", "https://h.example/p", "wms", true},
			{"https://h.example/p", "https://h.example/{configuration.path}", "wms", true}, // only a base decides who is called
			{"https://h.example/p", "https://evil.example/p", "erp", false},
			{"https://h.example/p", "https://h.example:8443/p", "erp", false},
			{"https://h.example/{order.id}", "https://evil.example/{order.id}", "erp", false},
			{"https://h.example/p", base + "/p", "erp", false},
			{base + "/p", "https://h.example/p", "erp", false},
			{base + "/p", base + "/other/{order.id}", "erp", true},
			{base + "/p", "{configuration.other}/p", "erp", false},
			{base + "/p", base + "/p", "wms", false}, // another adapter's configuration
			{base + "/p", base + ".evil.example/p", "erp", false},
			{base + "/p", base + "@evil.example/p", "erp", false},
		} {
			id := fmt.Sprint(i)
			d.put(t, 201, id, `{"a":1,"notifications":[`+one(row.from, "erp", "s3cret")+`]}`)
			moved := one(row.to, row.adapter, "******")
			status, pointer := 200, ""
			if !row.kept {
				status, pointer = 422, "/headers/X-Api-Key"
			}
			for _, way := range []struct{ method, path, body, at string }{
				{http.MethodPut, orders + id + list + "/n1", moved, pointer},
				{http.MethodPut, orders + id, `{"a":1,"notifications":[` + moved + `]}`, strings.Replace(pointer, "/h", "/notifications/0/h", 1)},
				{http.MethodPatch, orders + id, `{"notifications":[` + moved + `]}`, strings.Replace(pointer, "/h", "/notifications/0/h", 1)},
			} {
				a := d.call(t, way.method, way.path, way.body)
				if a.status != status || !row.kept && !slices.Equal(a.pointers(t), []string{way.at}) {
					t.Errorf("%s of %s by %s %s: %d %s", row.from, row.to, way.method, way.path, a.status, a.body)
				}
			}
			n := d.only(t, id)
			if n.Headers[0].Value.Reveal() != "s3cret" || (n.URL == row.to && n.AdapterID == row.adapter) != row.kept {
				t.Errorf("%s to %s: it calls %s for %s", row.from, row.to, n.URL, n.AdapterID)
			}
			// With its value given it may go anywhere.
			d.must(t, 200, http.MethodPut, orders+id+list+"/n1", one("https://new.example/", row.adapter, "fresh"))
		}
		// Found by adapter and reference.
		d.put(t, 201, "named", `{"a":1,"notifications":[`+one("https://h.example/", "erp", "s3cret")+`]}`)
		nameless := strings.Replace(one("https://evil.example/", "erp", "******"), `"id":"n1",`, "", 1)
		d.must(t, 422, http.MethodPut, orders+"named", `{"a":1,"notifications":[`+nameless+`]}`)
	})
}

// The same in a configuration, whose own values may be what moves a notification.
func TestRedactedHeadersOfAConfigurationStayWithTheirTarget(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		body := func(base, url, key string) string {
			return fmt.Sprintf(`{"base":%q,"path":"p","notifications":[{"url":%q,"scope":"/a","adapterId":"erp","reference":"export","headers":{"X-Key":%q}}]}`, base, url, key)
		}
		const home, evil, template = "https://h.example", "https://evil.example", "{configuration.base}/{configuration.path}"
		for i, row := range []struct {
			from, to, base string
			kept           bool
		}{
			{home + "/p", home + "/other", home, true},
			{home + "/p", home + "/p", evil, true}, // which it does not begin with
			{home + "/p", evil + "/p", home, false},
			{template, template, home, true},
			{template, template + "/other", home + ":443/api", true},
			{template, template, evil, false},
			{template, template, "", false},
		} {
			at := fmt.Sprint(v0, "/configurations/erp")
			channel := fmt.Sprint("X-Channel: c", i)
			d.must(t, 201, http.MethodPut, at, body(home, row.from, "s3cret"), channel)
			a := d.call(t, http.MethodPut, at, body(row.base, row.to, "******"), channel)
			if row.kept != (a.status == 200) || !row.kept && (a.status != 422 || !slices.Equal(a.pointers(t), []string{"/notifications/0/headers/X-Key"})) {
				t.Errorf("%s to %s of %s: %d %s", row.from, row.to, row.base, a.status, a.body)
			}
			d.must(t, 200, http.MethodPut, at, body(evil, row.to, "fresh"), channel)
		}
	})
}

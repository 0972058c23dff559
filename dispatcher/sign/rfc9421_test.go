package sign_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/yaronf/httpsign"
)

// base is the signature base of RFC 9421, section 2.5, written a second time from the text alone, without the library.
// The vectors of the RFC check it, and it checks the signer.
func base(method, rawURL string, header http.Header, components []string, params string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, name := range components {
		value := strings.TrimSpace(strings.Join(header.Values(name), ", "))
		switch name {
		case "@method":
			value = method
		case "@authority":
			value = strings.ToLower(u.Host)
		case "@path":
			value = u.EscapedPath()
		case "@query":
			value = "?" + u.RawQuery
		}
		fmt.Fprintf(&b, "%q: %s\n", name, value)
	}
	return b.String() + `"@signature-params": ` + params
}

func hmacOf(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func unbase64(t testing.TB, encoding *base64.Encoding, text string) []byte {
	t.Helper()
	raw, err := encoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type rfc9421 struct {
	Request struct {
		Method, URL, Body string
		Headers           map[string]string
	}
	SharedSecret  string
	Ed25519Public string
	Vectors       []struct {
		Label, Algorithm, Params, Signature string
		Components                          []string
	}
}

// The RFC's own vectors hold for our second writing of the base and for the library.
func TestVectorsOfRFC9421(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/rfc9421.json")
	if err != nil {
		t.Fatal(err)
	}
	var rfc rfc9421
	if err := json.Unmarshal(text, &rfc); err != nil || len(rfc.Vectors) != 2 {
		t.Fatal(err, len(rfc.Vectors))
	}
	header := http.Header{}
	for name, value := range rfc.Request.Headers {
		header.Set(name, value)
	}
	digest := sha512.Sum512([]byte(rfc.Request.Body))
	if want := "sha-512=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":"; header.Get("Content-Digest") != want {
		t.Errorf("the digest is %s, want %s", header.Get("Content-Digest"), want)
	}
	secret, public := unbase64(t, base64.StdEncoding, rfc.SharedSecret), ed25519.PublicKey(unbase64(t, base64.RawURLEncoding, rfc.Ed25519Public))
	for _, v := range rfc.Vectors {
		signature := unbase64(t, base64.StdEncoding, v.Signature)
		text := base(rfc.Request.Method, rfc.Request.URL, header, v.Components, v.Params)
		config := httpsign.NewVerifyConfig().SetVerifyCreated(false)
		fields := httpsign.Headers(v.Components...)
		var ours bool
		var library *httpsign.Verifier
		if v.Algorithm == "ed25519" {
			ours = ed25519.Verify(public, []byte(text), signature)
			library, err = httpsign.NewEd25519Verifier(public, config, fields)
		} else {
			ours = hmac.Equal(hmacOf(secret, text), signature)
			library, err = httpsign.NewHMACSHA256Verifier(secret, config, fields)
		}
		if !ours || err != nil {
			t.Errorf("%s: holds for our base: %v (%v)", v.Label, ours, err)
		}
		request, _ := http.NewRequest(rfc.Request.Method, rfc.Request.URL, nil)
		request.Header = header.Clone()
		request.Header.Set("Signature-Input", v.Label+"="+v.Params)
		request.Header.Set("Signature", v.Label+"=:"+v.Signature+":")
		if err := httpsign.VerifyRequest(v.Label, *library, request); err != nil {
			t.Errorf("%s: does not hold for the library: %v", v.Label, err)
		}
	}
}

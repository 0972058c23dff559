package sign_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// openssl runs the second opinion on what we seal; where it is not installed there is none.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on the PATH")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func save(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decodeBase64(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestOpenSSLVerifiesFaTPay(t *testing.T) {
	t.Parallel()
	const target = "https://partner.example.com/webhook/fat-pay?token=a%2Bb"
	header, err := mustFaTPay(t, sign.FaTPay{PartnerID: "2yQrS9A0xmM8xpfa", Key: rsaKey(), VersionHeader: true}).
		Sign(sign.Message{Method: "POST", URL: target, Timestamp: time.Unix(1661346861, 0)})
	if err != nil {
		t.Fatal(err)
	}
	// Written out, not asked of the package: the second opinion is on the signed string too.
	text := "POSTpartner.example.com/webhook/fat-pay?token=a+b&x-fp-nonce=" + header.Get("X-FP-Nonce") +
		"&x-fp-partner-id=2yQrS9A0xmM8xpfa&x-fp-timestamp=1661346861&x-fp-version=v1.0"
	public, err := sign.PublicPEM(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	out := openssl(t, "dgst", "-sha256", "-verify", save(t, "public.pem", public),
		"-signature", save(t, "signature", decodeBase64(t, header.Get("X-FP-Signature"))), save(t, "signed", []byte(text)))
	if !strings.Contains(out, "Verified OK") {
		t.Errorf("openssl says %q", out)
	}
}

func TestOpenSSLReadsOurPrivateKeys(t *testing.T) {
	t.Parallel()
	text, err := sign.RSAKeyPEM(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	openssl(t, "rsa", "-check", "-noout", "-in", save(t, "private.pem", text))
}

func TestOpenSSLVerifiesV1a(t *testing.T) {
	t.Parallel()
	if version := openssl(t, "version"); !strings.HasPrefix(version, "OpenSSL 3") {
		t.Skipf("pkeyutl -rawin with ed25519 is OpenSSL 3's, this is %s", version)
	}
	private, whpk := sign.GenerateKeyV1a()
	entry := mustSignV1a(t, sign.Message{ID: "msg_1", Timestamp: time.Unix(1614265330, 0), Body: []byte(`{"a":1}`)}, private)
	pub, err := sign.ParsePublicKeyV1a(whpk)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.PublicPEM(pub)
	if err != nil {
		t.Fatal(err)
	}
	out := openssl(t, "pkeyutl", "-verify", "-pubin", "-inkey", save(t, "public.pem", public), "-rawin",
		"-in", save(t, "signed", []byte(`msg_1.1614265330.{"a":1}`)), "-sigfile", save(t, "signature", decodeBase64(t, strings.TrimPrefix(entry, "v1a,"))))
	if !strings.Contains(out, "Verified Successfully") {
		t.Errorf("openssl says %q", out)
	}
}

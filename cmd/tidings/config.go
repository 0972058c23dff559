package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// serveFlags are taken as text, so that all their faults can be told at once.
type serveFlags struct {
	Listen         string   `help:"Address of the API and the pages." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Role           string   `help:"What this process does: all, api or worker." default:"all"`
	RedisURL       string   `help:"Redis to use: redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://. Without it Tidings brings its own." placeholder:"URL"`
	DataDir        string   `help:"Where Tidings' own Redis keeps its data (default: tidings in the user's cache directory)." placeholder:"DIR"`
	DevToken       string   `help:"Admin token for every merchant; only without --redis-url (default: a random one, printed)." placeholder:"TOKEN"`
	AllowTarget    []string `help:"Address ranges that may be called although they are private or otherwise special." placeholder:"CIDR"`
	AllowPlainHTTP string   `help:"Allow http:// targets everywhere, not only in allowed ranges." default:"false" placeholder:"BOOL"`
	CAFile         string   `name:"ca-file" help:"PEM bundle of authorities that targets may have besides the system's." placeholder:"PATH"`
	WebhookOrigin  string   `help:"DNS name that targets with a handshake are asked to allow." default:"tidings" placeholder:"NAME"`
	SealingKey     []string `help:"Keys that seal secrets at rest, each base64 of 32 bytes: the first writes, all read." placeholder:"KEY"`
	Retention      string   `help:"How long Events and payloads are kept after a delivery settled." default:"168h"`
	Concurrency    string   `help:"Attempts in flight at once in this process." default:"256"`
	Servers        string   `help:"Asynq servers in this process, each with its own fetch loop." default:"2"`
	Sweep          string   `help:"Look after deliveries that should have moved; at least one process must." default:"true" placeholder:"BOOL"`
	RateLimit      string   `help:"Requests per second of one token to this process; 0 for no limit (default: 1000, without --redis-url 0)." placeholder:"N"`
	RateBurst      string   `help:"Requests of one token at once (default: twice the rate limit)." placeholder:"N"`
	TrustedProxy   []string `help:"Address ranges of proxies whose X-Forwarded-For is believed." placeholder:"CIDR"`
	StopDelay      string   `help:"How long to go on serving, not ready, after the signal to stop (default: 0s)." placeholder:"DURATION"`
	LogLevel       string   `help:"debug, info, warn or error." default:"info"`
	LogFormat      string   `help:"text or json." default:"text"`
}

// settings are checked serveFlags.
type settings struct {
	listen         string
	api, worker    bool
	redis          *redisTarget // nil: Tidings brings its own
	dataDir        string
	tokens         []api.Token
	devToken       string // as given; "" when there is none
	allowTargets   []netip.Prefix
	allowPlainHTTP bool
	roots          *x509.CertPool // nil: the system's
	webhookOrigin  string
	certificates   map[outbound.Target]tls.Certificate
	sealingKeys    [][]byte // the first writes; none: kept in the data directory (own Redis only)
	retention      time.Duration
	merchants      map[string]time.Duration // those with a retention of their own
	concurrency    int
	servers        int
	sweep          bool
	rateLimit      int // 0: none
	rateBurst      int
	trustedProxies []netip.Prefix
	stopDelay      time.Duration
	log            slog.HandlerOptions
	logJSON        bool
}

// defaultRateLimit is more than one client does in normal use, and less than a process can do (README, Figures).
const (
	defaultRateLimit = 1000
	maxRateLimit     = 1_000_000
)

// maxStopDelay is more than a balancer needs to notice.
const maxStopDelay = time.Minute

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// check turns flags into settings and tells every fault of them at once.
func (f serveFlags) check(file configFile) (settings, error) {
	var faults []error
	bad := func(flag, format string, args ...any) {
		faults = append(faults, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	s := settings{listen: f.Listen, devToken: f.DevToken, dataDir: f.DataDir}
	if _, port, err := net.SplitHostPort(f.Listen); err != nil {
		bad("listen", "%q is no host:port", f.Listen)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		bad("listen", "%q is no port (0 to 65535)", port)
	}
	switch f.Role {
	case "all":
		s.api, s.worker = true, true
	case "api":
		s.api = true
	case "worker":
		s.worker = true
	default:
		bad("role", "%q: expected all, api or worker", f.Role)
	}
	if f.RedisURL != "" {
		target, err := parseRedisURL(f.RedisURL)
		if err != nil {
			bad("redis-url", "%v", err)
		}
		s.redis = &target
	}
	ranges := func(flag string, texts []string) (all []netip.Prefix) {
		for _, text := range texts {
			if text == "" { // given, but as nothing
				continue
			}
			prefix, err := parsePrefix(text)
			if err != nil {
				bad(flag, "%q is no address range such as 10.0.0.0/8", text)
			}
			all = append(all, prefix)
		}
		return all
	}
	s.allowTargets, s.trustedProxies = ranges("allow-target", f.AllowTarget), ranges("trusted-proxy", f.TrustedProxy)
	var err error
	if s.allowPlainHTTP, err = strconv.ParseBool(f.AllowPlainHTTP); err != nil {
		bad("allow-plain-http", "%q: expected true or false", f.AllowPlainHTTP)
	}
	if s.roots, err = readRoots(f.CAFile); err != nil {
		bad("ca-file", "%v", err)
	}
	if s.sweep, err = strconv.ParseBool(f.Sweep); err != nil {
		bad("sweep", "%q: expected true or false", f.Sweep)
	}
	if s.webhookOrigin = f.WebhookOrigin; !dnsName(f.WebhookOrigin) {
		bad("webhook-origin", "%q is no DNS name", f.WebhookOrigin)
	}
	if s.sealingKeys, err = parseSealingKeys(f.SealingKey); err != nil {
		faults = append(faults, err)
	}
	if s.retention, err = parseRetention(f.Retention); err != nil {
		bad("retention", "%v", err)
	}
	number := func(flag, text string, least, most int) int {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			bad(flag, "%q: expected a whole number from %d to %d", text, least, most)
		}
		return n
	}
	s.concurrency, s.servers = number("concurrency", f.Concurrency, 1, 10_000), number("servers", f.Servers, 1, 64)
	if f.RedisURL != "" { // others share it; nobody shall have to wait for who goes wild
		s.rateLimit = defaultRateLimit
	}
	if f.RateLimit != "" {
		s.rateLimit = number("rate-limit", f.RateLimit, 0, maxRateLimit)
	}
	if s.rateBurst = 2 * s.rateLimit; f.RateBurst != "" {
		s.rateBurst = number("rate-burst", f.RateBurst, 1, 2*maxRateLimit)
	}
	if s.stopDelay, err = parseStopDelay(f.StopDelay); err != nil {
		bad("stop-delay", "%v", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		bad("log-level", "%q: expected debug, info, warn or error", f.LogLevel)
	}
	s.log.Level = level
	if s.logJSON = f.LogFormat == "json"; !s.logJSON && f.LogFormat != "text" {
		bad("log-format", "%q: expected text or json", f.LogFormat)
	}
	var more []error
	s.tokens, more = checkTokens(file.Tokens)
	faults = append(faults, more...)
	s.certificates, more = readCertificates(file.ClientCertificates)
	faults = append(faults, more...)
	s.merchants, more = checkMerchants(file.Merchants)
	faults = append(append(faults, more...), s.together(f)...)
	return s, errors.Join(faults...)
}

// together finds what is wrong only in combination.
func (s *settings) together(f serveFlags) (faults []error) {
	bad := func(text string) { faults = append(faults, errors.New(text)) }
	if s.redis == nil {
		s.allowTargets = append(s.allowTargets, loopback...)
		if f.Role != "all" {
			bad("--role: without --redis-url there is nobody else to share the work with; expected all")
		}
		var err error
		if s.dataDir, err = dataDir(s.dataDir); err != nil {
			bad(err.Error())
		}
		return faults
	}
	if s.devToken != "" {
		bad("--dev-token: only without --redis-url; put tokens in the configuration file (tidings token makes one)")
	}
	if len(s.tokens) == 0 && s.api {
		bad("tokens: with --redis-url at least one is needed in the configuration file (tidings token makes one)")
	}
	if strings.Join(f.SealingKey, "") == "" {
		bad("--sealing-key: is needed with --redis-url (tidings token prints a fresh one)")
	}
	return faults
}

var dnsLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// dnsName reports whether a text is a name as RFC 1123 §2.1 has it.
func dnsName(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if !dnsLabel.MatchString(label) {
			return false
		}
	}
	return len(text) <= 253
}

// dataDir is the given directory, or tidings in the user's cache directory.
func dataDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errors.New("--data-dir: is needed, for this user has no cache directory")
	}
	return filepath.Join(cache, "tidings"), nil
}

func parseStopDelay(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxStopDelay {
		return 0, fmt.Errorf("%q: expected a duration from 0s to %s", text, maxStopDelay)
	}
	return d, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

var (
	tokenMerchant = regexp.MustCompile(`^(\*|[A-Za-z0-9._-]{1,64})$`)
	tokenRoles    = []string{string(api.RoleAdapter), string(api.RoleMerchant), string(api.RoleAdmin)}
)

// checkTokens reads the tokens of the file and tells every fault of them.
func checkTokens(all []fileToken) (tokens []api.Token, faults []error) {
	for i, t := range all {
		token, found := t.check()
		faults = append(faults, under(fmt.Sprintf("tokens[%d]", i), found)...)
		tokens = append(tokens, token)
	}
	return tokens, faults
}

func (t fileToken) check() (token api.Token, faults []error) {
	token = api.Token{Name: t.Name, Merchants: t.Merchants, Role: api.Role(t.Role)}
	text, ok := strings.CutPrefix(t.Hash, "sha256:")
	if raw, err := hex.DecodeString(text); !ok || err != nil || len(raw) != sha256.Size {
		faults = append(faults, errors.New("hash: expected sha256:<64 hexadecimal digits> (tidings token prints the line)"))
	} else {
		copy(token.Hash[:], raw)
	}
	if !slices.Contains(tokenRoles, t.Role) {
		faults = append(faults, fmt.Errorf("role: expected one of %s", strings.Join(tokenRoles, ", ")))
	}
	if len(t.Merchants) == 0 {
		faults = append(faults, errors.New(`merchants: expected at least one ("*" for all)`))
	}
	for _, m := range t.Merchants {
		if !tokenMerchant.MatchString(m) {
			faults = append(faults, fmt.Errorf("merchants: %q is no merchant", m))
		}
	}
	return token, faults
}

// userAgent names us to targets.
var userAgent = "Tidings/" + version

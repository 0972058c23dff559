package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// errBlocked marks an address that the guard refused. It wraps, it never leaves the package.
var errBlocked = errors.New("the address is not one that may be called")

// cloudMetadata are doors to a cloud's inside that stand in public ranges, so that no registry of special ranges names
// them. The others (169.254.169.254, 100.100.100.200, 192.0.0.192, fd00:ec2::254) lie in ranges refused anyway.
var cloudMetadata = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's wire server: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
}

// guard says which addresses may be dialled. It hangs on the dialer's Control, which the net package calls with the
// very address the socket is about to connect to: a name that resolves differently the second time gains nothing. Of a
// name with several addresses each is asked about by itself: the bad ones are never dialled, the good ones are, because
// names that resolve to a public and an internal address are common where the inside has a DNS of its own.
//
// The ranges are those of code.dny.dev/ssrf: the IANA special-purpose registries of IPv4 and IPv6 plus multicast, and
// of IPv6 only 2000::/3 at all, which leaves out everything that embeds an IPv4 address (mapped, compatible, NAT64);
// 6to4 and Teredo are denied inside it. A NAT64 prefix of an operator's own cannot be known here.
//
// How well it is kept: one maintainer, the ranges generated from the registries, released twice (v0.2.0 in July 2023,
// v0.3.0 in July 2026), no dependency outside its tests, 150 lines of logic. So the ranges we promise are held by our
// own table (guard_test.go), and replacing the library is this one file.
type guard struct {
	allowed  []netip.Prefix
	guardian *ssrf.Guardian // nil: nothing but allowed
}

func newGuard(allowed []netip.Prefix) guard {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	return guard{
		allowed: slices.Clone(allowed),
		guardian: ssrf.New(
			ssrf.WithAnyPort(), // receivers listen where they like
			ssrf.WithAllowedV4Prefixes(v4...),
			ssrf.WithAllowedV6Prefixes(v6...),
			ssrf.WithDeniedV4Prefixes(cloudMetadata...),
		),
	}
}

// onlyAllowed is the guard for plain HTTP: it admits the allowed ranges and nothing of the open internet.
func (g guard) onlyAllowed() guard { return guard{allowed: g.allowed} }

// check refuses an address with an error that is errBlocked.
func (g guard) check(addr netip.Addr) error {
	if g.guardian == nil {
		if g.names(addr) {
			return nil
		}
		return fmt.Errorf("%w: %s is not in a range allowed by configuration", errBlocked, addr)
	}
	if err := g.guardian.SafeAddr(addr); err != nil {
		return fmt.Errorf("%w: %w", errBlocked, err)
	}
	return nil
}

// names reports whether configuration allows the address by name of its range.
func (g guard) names(addr netip.Addr) bool {
	return slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// control is a net.Dialer.Control. The transport dials nothing but TCP, so the network needs no check of its own.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: reading the address to dial: %w", errBlocked, err)
	}
	return g.check(to.Addr())
}

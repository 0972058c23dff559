package scope

import (
	"fmt"
	"strconv"
	"strings"
)

// decimal is a number's meaning: digits × 10^exponent, with no zero at either end
// of the digits. Zero has no digits and no sign. Two numbers are the same exactly
// when their decimals are. Nothing here turns digits into a number: a price with
// 300 digits compares exactly, and 1e400 costs no more than 1.
type decimal struct {
	negative bool
	digits   string
	exponent int
}

// decimalOf reads a number token that Parse accepted.
func decimalOf(token string) decimal {
	token, negative := strings.CutPrefix(token, "-")
	mantissa, exponent := splitExponent(token)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole
	switch {
	case fraction == "":
	case whole == "0":
		digits = fraction
	default:
		digits = whole + fraction
	}
	power, _ := strconv.Atoi(exponent) // "" is 0, and Parse bounds the rest
	power -= len(fraction)
	short := strings.TrimRight(digits, "0")
	power += len(digits) - len(short)
	short = strings.TrimLeft(short, "0")
	if short == "" {
		return decimal{}
	}
	return decimal{negative: negative, digits: short, exponent: power}
}

// splitExponent cuts a number token at its e; the exponent keeps its sign and is
// empty when there is none.
func splitExponent(token string) (mantissa, exponent string) {
	if at := strings.IndexAny(token, "eE"); at >= 0 {
		return token[:at], token[at+1:]
	}
	return token, ""
}

// int64 is the decimal as a whole number, false when it is none or does not fit.
func (d decimal) int64() (int64, bool) {
	if d.digits == "" {
		return 0, true
	}
	if d.exponent < 0 || d.exponent > 19 || len(d.digits)+d.exponent > 19 {
		return 0, false
	}
	text := d.digits + strings.Repeat("0", d.exponent)
	if d.negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// sameNumber compares two number tokens by meaning.
func sameNumber(a, b string) bool {
	return a == b || decimalOf(a) == decimalOf(b)
}

// numberFault says what is too much about a number token, or "".
func numberFault(token string, limits Limits) string {
	if len(token) <= limits.MaxNumberDigits && !strings.ContainsAny(token, "eE") {
		return ""
	}
	mantissa, exponent := splitExponent(token)
	digits := 0
	for i := range len(mantissa) {
		if mantissa[i] >= '0' && mantissa[i] <= '9' {
			digits++
		}
	}
	if digits > limits.MaxNumberDigits {
		return fmt.Sprintf("the number has %d digits, at most %d are taken", digits, limits.MaxNumberDigits)
	}
	size := strings.TrimLeft(strings.TrimLeft(exponent, "+-"), "0")
	if size == "" {
		return ""
	}
	// An exponent of more than nine digits may not even fit an int.
	if n, err := strconv.Atoi(size); len(size) > 9 || err != nil || n > limits.MaxExponent {
		return fmt.Sprintf("the number's exponent is beyond %d", limits.MaxExponent)
	}
	return ""
}

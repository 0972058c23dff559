package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Shapes of names that become part of keys and URLs.
var (
	orderIDShape    = shape{most: 128, signs: "._:-"}
	merchantIDShape = shape{most: 64, signs: "._-"} // merchants and channels
	adapterIDShape  = shape{most: 128, signs: "._:-"}
)

// shape is 1 to most characters of A-Z a-z 0-9 and some signs. Every request has three such names; a regular expression
// would take twenty times as long for each.
type shape struct {
	most  int
	signs string
}

func (s shape) matches(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(s.signs, c) >= 0:
		default:
			return false
		}
	}
	return name != "" && len(name) <= s.most
}

// validate holds the shapes of our own objects; what the tags cannot say stands beside the object's type.
var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	shaped := func(s shape) validator.Func {
		return func(fl validator.FieldLevel) bool { return s.matches(fl.Field().String()) }
	}
	for tag, fn := range map[string]validator.Func{
		"orderid": shaped(orderIDShape), "adapterid": shaped(adapterIDShape), "merchantid": shaped(merchantIDShape),
		"plain": func(fl validator.FieldLevel) bool { // no control characters
			return !strings.ContainsFunc(fl.Field().String(), func(r rune) bool { return r < ' ' || r == 0x7f })
		},
	} {
		if err := v.RegisterValidation(tag, fn); err != nil {
			panic(err) // the tags are written here
		}
	}
	return v
}

// check runs the tags over a bound struct and tells every fault at its pointer.
func check(bound any, at scope.Pointer) (faults scope.Faults) {
	err := validate.Struct(bound)
	var all validator.ValidationErrors
	if !errors.As(err, &all) {
		return nil
	}
	for _, e := range all {
		pointer := at
		_, path, _ := strings.Cut(e.Namespace(), ".")
		for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
			pointer = pointer.Child(step)
		}
		faults = append(faults, scope.Fault{Pointer: pointer.String(), Detail: explain(e)})
	}
	return faults
}

// explain words a validator's tag for a person.
func explain(e validator.FieldError) string {
	unit := "characters"
	switch e.Kind() {
	case reflect.Slice, reflect.Map:
		unit = "members"
	case reflect.Int, reflect.Int64:
		unit = ""
	}
	limit := strings.TrimSpace(e.Param() + " " + unit)
	if e.Type() == reflect.TypeFor[dispatcher.Duration]() {
		limit = e.Param()
	}
	switch e.Tag() {
	case "required":
		return "is required"
	case "oneof":
		return "expected one of: " + strings.Join(strings.Fields(e.Param()), ", ")
	case "min", "gte":
		return "expected at least " + limit
	case "max", "lte":
		return "expected at most " + limit
	case "unique":
		return "expected no repetitions"
	case "plain":
		return "holds control characters"
	case "orderid", "adapterid":
		return "expected 1 to 128 characters of A-Z a-z 0-9 . _ : -"
	case "merchantid":
		return "expected 1 to 64 characters of A-Z a-z 0-9 . _ -"
	}
	return fmt.Sprintf("breaks the rule %q", e.Tag())
}

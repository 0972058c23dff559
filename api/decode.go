package api

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/tidings/tidings/scope"
)

// readJSON reads the whole body as one JSON value and tells every fault of its text.
func readJSON(r *http.Request) (scope.Value, error) { return readAs(r, scope.Parse) }

// readOrder is readJSON for an order, of which only what changed is looked into.
func readOrder(r *http.Request) (scope.Value, error) { return readAs(r, scope.ParseFolded) }

func readAs(r *http.Request, parse func([]byte, scope.Limits) (scope.Value, scope.Faults)) (scope.Value, error) {
	room := rooms.Get().(*bytes.Buffer)
	defer giveBack(room)
	if err := readInto(room, r); err != nil {
		return scope.Value{}, err
	}
	return accepted(parse(room.Bytes(), scope.DefaultLimits)) // which copies what it keeps
}

func parseJSON(body []byte) (scope.Value, error) {
	return accepted(scope.Parse(body, scope.DefaultLimits))
}

func accepted(v scope.Value, faults scope.Faults) (scope.Value, error) {
	if len(faults) > 0 {
		p := problem(http.StatusBadRequest, "invalid_json", "The body is not acceptable JSON; errors lists every fault.")
		p.Errors = faults
		return scope.Value{}, p
	}
	return v, nil
}

// roomAtOnce is how much room is made for a body before any of it has come.
const roomAtOnce = 16 << 10

// rooms are what bodies are read into that are not kept.
var rooms = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptRoom is the most that is kept for the next body: enough for common orders, not for the one that was very large.
const keptRoom = 64 << 10

func giveBack(room *bytes.Buffer) {
	if room.Cap() <= keptRoom {
		room.Reset()
		rooms.Put(room)
	}
}

// readBody reads the whole body, within MaxBodyBytes.
func readBody(r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	err := readInto(&body, r)
	return body.Bytes(), err
}

func readInto(body *bytes.Buffer, r *http.Request) error {
	// What a client says is believed up to a point: he may be lying, and there may be many of him.
	body.Grow(bytes.MinRead + int(min(max(r.ContentLength, 0), roomAtOnce)))
	_, err := body.ReadFrom(r.Body)
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		err = problem(http.StatusBadRequest, "body_unreadable", "The body could not be read to its end.")
	}
	return err
}

// bind puts an object into a struct by its json tags and returns every fault: members that the struct does not have,
// and values of the wrong type. null is the same as absent. Fields may be strings, booleans, whole numbers, slices and
// maps of strings, scope.Value for free JSON, anything that unmarshals itself from text, and pointers to or slices of
// such structs. After more faults than are ever told it may leave the rest of a list unread.
func bind(v scope.Value, dst any, at scope.Pointer) scope.Faults {
	return bindValue(v, reflect.ValueOf(dst).Elem(), at)
}

var valueType = reflect.TypeFor[scope.Value]()

func bindValue(v scope.Value, dst reflect.Value, at scope.Pointer) scope.Faults {
	if dst.Type() == valueType {
		dst.Set(reflect.ValueOf(v))
		return nil
	}
	if text, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return bindText(v, text, at)
	}
	switch dst.Kind() {
	case reflect.Pointer:
		target := reflect.New(dst.Type().Elem())
		faults := bindValue(v, target.Elem(), at)
		if len(faults) == 0 || v.Kind() == scope.KindObject { // else it stays nil: what is no object shall not lack members, too
			dst.Set(target)
		}
		return faults
	case reflect.Struct:
		return bindStruct(v, dst, at)
	case reflect.Slice:
		return bindSlice(v, dst, at)
	case reflect.Map:
		return bindMap(v, dst, at)
	case reflect.String:
		text, ok := v.Text()
		dst.SetString(text)
		return expect(ok, "string", v, at)
	case reflect.Bool:
		b, ok := v.Bool()
		dst.SetBool(b)
		return expect(ok, "boolean", v, at)
	case reflect.Int, reflect.Int64:
		n, ok := v.Int()
		dst.SetInt(n)
		return expect(ok, "whole number", v, at)
	}
	panic("bind: no rule for " + dst.Type().String())
}

func expect(ok bool, want string, v scope.Value, at scope.Pointer) scope.Faults {
	if ok {
		return nil
	}
	return scope.Faults{{Pointer: at.String(), Detail: fmt.Sprintf("expected %s, got %s", want, v.Kind())}}
}

func bindText(v scope.Value, dst encoding.TextUnmarshaler, at scope.Pointer) scope.Faults {
	text, ok := v.Text()
	if !ok {
		return expect(false, "string", v, at)
	}
	if err := dst.UnmarshalText([]byte(text)); err != nil {
		return scope.Faults{{Pointer: at.String(), Detail: err.Error()}}
	}
	return nil
}

func bindStruct(v scope.Value, dst reflect.Value, at scope.Pointer) (faults scope.Faults) {
	if v.Kind() != scope.KindObject {
		return expect(false, "object", v, at)
	}
	fields := map[string]reflect.Value{}
	for i := range dst.NumField() {
		name, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = dst.Field(i)
	}
	for _, m := range v.Members() {
		if len(faults) > maxFaults {
			break
		}
		field, known := fields[m.Name]
		switch {
		case !known:
			faults = append(faults, scope.Fault{Pointer: at.Child(m.Name).String(), Detail: "unknown member"})
		case m.Value.Kind() != scope.KindNull:
			faults = append(faults, bindValue(m.Value, field, at.Child(m.Name))...)
		}
	}
	return faults
}

func bindSlice(v scope.Value, dst reflect.Value, at scope.Pointer) (faults scope.Faults) {
	if v.Kind() != scope.KindArray {
		return expect(false, "array", v, at)
	}
	items := v.Items()
	dst.Set(reflect.MakeSlice(dst.Type(), len(items), len(items)))
	for i, item := range items {
		if faults = append(faults, bindValue(item, dst.Index(i), at.Child(strconv.Itoa(i)))...); len(faults) > maxFaults {
			break
		}
	}
	return faults
}

func bindMap(v scope.Value, dst reflect.Value, at scope.Pointer) (faults scope.Faults) {
	if v.Kind() != scope.KindObject {
		return expect(false, "object", v, at)
	}
	dst.Set(reflect.MakeMap(dst.Type()))
	for _, m := range v.Members() {
		if len(faults) > maxFaults {
			break
		}
		value := reflect.New(dst.Type().Elem()).Elem()
		faults = append(faults, bindValue(m.Value, value, at.Child(m.Name))...)
		dst.SetMapIndex(reflect.ValueOf(m.Name), value)
	}
	return faults
}

package dofn

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// CheckElement sends an element, with something in every part of its field,
// through Beam's coder, and says which part did not arrive as it was sent. It
// takes types because code that is compiled for each T should be short.
func CheckElement(element reflect.Type, field string) error {
	path, err := journey{through: throughCoder}.lost(element, field)
	switch {
	case err != nil:
		return fmt.Errorf("%s can't pass from one stage to the next: Beam's coder: %w", path, err)
	case path != "":
		return fmt.Errorf("%s is lost or changed by Beam's coder between two stages: give it a type whose fields are all exported", path)
	}
	return nil
}

// CheckSetting does so for a field of a DoFn, which goes to the workers as
// JSON: one runner would lose what another, which hands on the DoFn itself,
// does not.
func CheckSetting(fn reflect.Type, field string) error {
	path, err := journey{through: throughJSON, trusted: readsJSON}.lost(fn, field)
	switch {
	case err != nil:
		return fmt.Errorf("%s can't go to the workers as JSON: %w", path, err)
	case path != "":
		return fmt.Errorf("%s is lost or changed on its way to the workers, as JSON: "+
			"export it, and give it a type that JSON keeps, without interfaces and unexported fields", path)
	}
	return nil
}

// journey is one way from a value to what arrives of it.
type journey struct {
	through func(sent reflect.Value) (got reflect.Value, err error)
	// trusted types see to it themselves that they arrive.
	trusted func(reflect.Type) bool
}

// lost returns the path of the first part of the field that does not arrive,
// or, with an error, the field's type.
func (j journey) lost(t reflect.Type, field string) (path string, err error) {
	sent := reflect.New(t)
	value := sent.Elem().FieldByName(field)
	name := value.Type().String()
	j.fill(value, 0)
	got, err := j.through(sent)
	if err != nil {
		return name, err
	}
	if path, same := j.compare(value, got.Elem().FieldByName(field), name); !same {
		return path, nil
	}
	return "", nil
}

// throughCoder encodes and decodes an element. Beam's coders panic on types that they can't handle.
func throughCoder(sent reflect.Value) (got reflect.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	var buf bytes.Buffer
	if err := beam.NewElementEncoder(sent.Type()).Encode(sent.Interface(), &buf); err != nil {
		return got, err
	}
	back, err := beam.NewElementDecoder(sent.Type()).Decode(&buf)
	return reflect.ValueOf(back), err
}

// throughJSON encodes and decodes a DoFn, as Beam does.
func throughJSON(sent reflect.Value) (got reflect.Value, err error) {
	data, err := json.Marshal(sent.Interface())
	if err != nil {
		return got, err
	}
	got = reflect.New(sent.Type().Elem())
	return got, json.Unmarshal(data, got.Interface())
}

// readsJSON tells of types that read what they wrote, as regexp.Regexp.
func readsJSON(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (j journey) trusts(t reflect.Type) bool { return j.trusted != nil && j.trusted(t) }

// deepest bounds recursive types.
const deepest = 8

// fill puts something that is not zero into v and all it holds, unexported
// fields included, because those are what a coder drops.
func (j journey) fill(v reflect.Value, depth int) {
	if depth > deepest || j.trusts(v.Type()) {
		return
	}
	v = writable(v)
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 29, 10, 0, 0, 123_456_000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.String:
		v.SetString("seven")
	default:
		j.fillParts(v, depth+1)
	}
}

// fillParts fills what is made of other values.
func (j journey) fillParts(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			j.fill(v.Field(i), depth)
		}
	case reflect.Array:
		for i := range v.Len() {
			j.fill(v.Index(i), depth)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		j.fill(v.Index(0), depth)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		j.fill(v.Elem(), depth)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		j.fill(key, depth)
		j.fill(elem, depth)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(7))
		}
	}
}

// writable lets reflection at an unexported field.
func writable(v reflect.Value) reflect.Value {
	if v.CanSet() || !v.CanAddr() {
		return v
	}
	return reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
}

// compare returns the path of the first part in which a and b differ.
func (j journey) compare(a, b reflect.Value, path string) (string, bool) {
	a, b = writable(a), writable(b)
	if j.trusts(a.Type()) {
		return path, true
	}
	if a.Type() == reflect.TypeFor[time.Time]() {
		return path, a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if p, same := j.compare(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name); !same {
				return p, false
			}
		}
		return path, true
	case reflect.Slice, reflect.Array:
		for i := range a.Len() {
			if i == b.Len() {
				return path, false
			}
			if p, same := j.compare(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i)); !same {
				return p, false
			}
		}
		return path, a.Len() == b.Len()
	case reflect.Interface: // nil where fill knew nothing to put there
		return path, !a.IsNil() && reflect.DeepEqual(a.Interface(), b.Interface())
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return path, a.IsNil() == b.IsNil()
		}
		return j.compare(a.Elem(), b.Elem(), path)
	}
	return path, reflect.DeepEqual(a.Interface(), b.Interface())
}

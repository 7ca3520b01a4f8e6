package csvio

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// checkCoder sends a record with a T that has something in every field through
// Beam's coder, and says which field did not arrive as it was sent. It takes
// the types of T and record.Record[T] because code that is compiled for each T
// should be short.
func checkCoder(t, recordType reflect.Type) error {
	sent := reflect.New(recordType)
	value := sent.Elem().FieldByName("Value")
	fill(value, 0)
	got, err := throughCoder(sent)
	if err != nil {
		return fmt.Errorf("%v can't pass from one stage to the next: Beam's coder: %w", t, err)
	}
	if path, same := compare(value, got.Elem().FieldByName("Value"), t.String()); !same {
		return fmt.Errorf("%s is lost or changed by Beam's coder between two stages: give it a type whose fields are all exported", path)
	}
	return nil
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

// deepest bounds recursive types.
const deepest = 8

// fill puts something that is not zero into v and all it holds, unexported
// fields included, because those are what a coder drops.
func fill(v reflect.Value, depth int) {
	if depth > deepest {
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
		fillParts(v, depth+1)
	}
}

// fillParts fills what is made of other values.
func fillParts(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth)
		fill(elem, depth)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
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
func compare(a, b reflect.Value, path string) (string, bool) {
	a, b = writable(a), writable(b)
	if a.Type() == reflect.TypeFor[time.Time]() {
		return path, a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if p, same := compare(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name); !same {
				return p, false
			}
		}
		return path, true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return path, a.IsNil() == b.IsNil()
		}
		return compare(a.Elem(), b.Elem(), path)
	}
	return path, reflect.DeepEqual(a.Interface(), b.Interface())
}

package csvio

import (
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

var timeType = reflect.TypeFor[time.Time]()

// A setter parses text into the value at dst, which must be of the type that
// the setter was made for. That is the only contract between reflection, which
// is done once for each type, and the pointers that are used for each record.
// The fault has no column yet.
type setter func(dst unsafe.Pointer, text string) *record.Fault

// decode fills the value at dst from the fields of a record; the first column
// that fails, in the order of the header, wins.
func (s *schema) decode(dst unsafe.Pointer, h *header, fields []string) *record.Fault {
	for i, c := range h.fields {
		if c < 0 {
			continue
		}
		col := &s.columns[c]
		if fault := col.set(unsafe.Add(dst, col.offset), fields[i]); fault != nil {
			if fault.Column == "" {
				fault.Column = col.name
			}
			return fault
		}
	}
	return nil
}

// setterOf returns the setter for fields of type t.
func setterOf(t reflect.Type) (setter, bool) {
	if t.Kind() == reflect.Pointer {
		set, ok := setterOf(t.Elem())
		if !ok || t.Elem().Kind() == reflect.Pointer {
			return nil, false
		}
		return setPointer(t.Elem(), set), true
	}
	switch {
	case t == timeType:
		return setWith(record.CodeInvalidTimestamp, allowedTimestamp, parseTimestamp), true
	case t == reflect.TypeFor[uuid.UUID]():
		return setWith(record.CodeInvalidUUID, "a UUID such as 38f9045a-d91d-5386-9bca-30576879af99", parseUUID), true
	case t == reflect.TypeFor[decimal.Decimal]():
		return setWith(record.CodeInvalidNumber, "an exact decimal number of up to 18 digits", decimal.Parse), true
	case t == reflect.TypeFor[json.RawMessage]():
		return setJSON, true
	case isUnmarshaler(t):
		return setUnmarshaler(t), true
	case t.Kind() == reflect.String:
		return setString, true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return setBytes, true
	}
	set, ok := basicSetters[t.Kind()]
	return set, ok
}

func isUnmarshaler(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setString stores the text as it is, white space and all.
func setString(dst unsafe.Pointer, text string) *record.Fault {
	*(*string)(dst) = text
	return nil
}

// setBytes stores the bytes as they are. They share the buffer of the range;
// the capacity ends with them, so appending copies.
func setBytes(dst unsafe.Pointer, text string) *record.Fault {
	*(*[]byte)(dst) = unsafe.Slice(unsafe.StringData(text), len(text))
	return nil
}

// setPointer stores nil for an empty field and else a new value.
func setPointer(elem reflect.Type, set setter) setter {
	trims := elem.Kind() != reflect.String && elem.Kind() != reflect.Slice || isUnmarshaler(elem) || elem == reflect.TypeFor[json.RawMessage]()
	return func(dst unsafe.Pointer, text string) *record.Fault {
		if text == "" || trims && trimSpace(text) == "" {
			*(*unsafe.Pointer)(dst) = nil
			return nil
		}
		v := reflect.New(elem).UnsafePointer()
		*(*unsafe.Pointer)(dst) = v
		return set(v, text)
	}
}

// setWith makes a setter of a parser for V.
func setWith[V any](code, allowed string, parse func(string) (V, error)) setter {
	return func(dst unsafe.Pointer, text string) *record.Fault {
		text = trimSpace(text)
		if text == "" {
			return missing(allowed)
		}
		v, err := parse(text)
		if err != nil {
			return invalid(code, text, allowed)
		}
		*(*V)(dst) = v
		return nil
	}
}

// setUnmarshaler lets the value read the text itself. It gets a copy, which it
// may change or keep.
func setUnmarshaler(t reflect.Type) setter {
	return func(dst unsafe.Pointer, text string) *record.Fault {
		text = trimSpace(text)
		if text == "" {
			return missing("what " + t.String() + " reads")
		}
		err := reflect.NewAt(t, dst).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		var fault *record.Fault
		switch {
		case err == nil:
			return nil
		case errors.As(err, &fault):
			own := *fault
			return &own
		}
		return invalid(record.CodeInvalidValue, text, "what "+t.String()+" reads ("+err.Error()+")")
	}
}

// basicSetters hold for named types too: the kind decides the layout.
var basicSetters = map[reflect.Kind]setter{
	reflect.Bool:    setWith(record.CodeInvalidValue, "true, false, yes, no, on, off, t, f, y, n, 1 and 0, in letters of any case", parseBool),
	reflect.Int:     setInt[int](),
	reflect.Int8:    setInt[int8](),
	reflect.Int16:   setInt[int16](),
	reflect.Int32:   setInt[int32](),
	reflect.Int64:   setInt[int64](),
	reflect.Uint:    setUint[uint](),
	reflect.Uint8:   setUint[uint8](),
	reflect.Uint16:  setUint[uint16](),
	reflect.Uint32:  setUint[uint32](),
	reflect.Uint64:  setUint[uint64](),
	reflect.Float32: setFloat[float32](),
	reflect.Float64: setFloat[float64](),
}

// parseBool reads what PostgreSQL does, but for other beginnings of the words.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "on", "1":
		return true, nil
	case "false", "f", "no", "n", "off", "0":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// setJSON stores the text as it is, if it is JSON: a json column keeps white
// space. A NUL, which JSON writes as \u0000, is refused by PostgreSQL.
func setJSON(dst unsafe.Pointer, text string) *record.Fault {
	switch {
	case trimSpace(text) == "":
		return missing("JSON")
	case !json.Valid(unsafe.Slice(unsafe.StringData(text), len(text))):
		return invalid(record.CodeInvalidValue, text, "JSON")
	}
	*(*json.RawMessage)(dst) = json.RawMessage(text)
	return nil
}

// timeSetter reads a time.Time, or a pointer to one, as the option of its field
// says: days, as midnight in UTC, or times without a zone, as if in UTC.
func timeSetter(t reflect.Type, option string) setter {
	set := setWith(record.CodeInvalidTimestamp, allowedZoneless, parseZoneless)
	if option == optionDate {
		set = setWith(record.CodeInvalidTimestamp, "a day such as 2006-01-02, in the years 0001 to 9999", parseDate)
	}
	if t.Kind() == reflect.Pointer {
		return setPointer(t.Elem(), set)
	}
	return set
}

func setInt[V int | int8 | int16 | int32 | int64]() setter {
	bits := int(unsafe.Sizeof(V(0))) * 8
	allowed := "a whole number of " + itoa(bits) + " bits"
	return setWith(record.CodeInvalidNumber, allowed, func(text string) (V, error) {
		v, err := strconv.ParseInt(text, 10, bits)
		return V(v), err
	})
}

func setUint[V uint | uint8 | uint16 | uint32 | uint64]() setter {
	bits := int(unsafe.Sizeof(V(0))) * 8
	allowed := "a whole number of 0 or more, of " + itoa(bits) + " bits"
	return setWith(record.CodeInvalidNumber, allowed, func(text string) (V, error) {
		v, err := strconv.ParseUint(text, 10, bits)
		return V(v), err
	})
}

func setFloat[V float32 | float64]() setter {
	bits := int(unsafe.Sizeof(V(0))) * 8
	return setWith(record.CodeInvalidNumber, "a decimal number (no NaN, no infinity)", func(text string) (V, error) {
		if strings.ContainsAny(text, "xXpP_nNiI") {
			return 0, strconv.ErrSyntax
		}
		v, err := strconv.ParseFloat(text, bits)
		if v == 0 && !isZero(text) {
			err = strconv.ErrRange // closer to 0 than any other float
		}
		return V(v), err
	})
}

// isZero reports whether a float's text has no digit but 0 before its exponent.
func isZero(text string) bool {
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		text = text[:e]
	}
	return !strings.ContainsAny(text, "123456789")
}

// trimSpace is strings.TrimSpace with a short way for values that have none.
func trimSpace(s string) string {
	if s != "" && isGraphic(s[0]) && isGraphic(s[len(s)-1]) {
		return s
	}
	return strings.TrimSpace(s)
}

func isGraphic(c byte) bool { return '!' <= c && c <= '~' }

func missing(allowed string) *record.Fault {
	return &record.Fault{Code: record.CodeMissingValue, Message: "the value is empty; allowed is " + allowed}
}

func invalid(code, found, allowed string) *record.Fault {
	return &record.Fault{Code: code, Message: "found " + quoteShort(found) + "; allowed is " + allowed + nullHint(found)}
}

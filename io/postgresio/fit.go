package postgresio

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

var (
	durationType      = reflect.TypeFor[time.Duration]()
	addrType          = reflect.TypeFor[netip.Addr]()
	prefixType        = reflect.TypeFor[netip.Prefix]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	rawJSONType       = reflect.TypeFor[json.RawMessage]()
	valuerType        = reflect.TypeFor[driver.Valuer]()
)

var (
	textOIDs     = []uint32{pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID}
	jsonOIDs     = []uint32{pgtype.JSONOID, pgtype.JSONBOID}
	integerOIDs  = []uint32{pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID}
	networkOIDs  = []uint32{pgtype.InetOID, pgtype.CIDROID}
	wholeTypes   = []reflect.Kind{reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64}
	documentKind = []reflect.Kind{reflect.Map, reflect.Struct, reflect.Slice, reflect.Array}
)

// fits reports whether values of a Go type can be written to columns of a type
// without losing anything. pgx alone is no judge of that: its plans cut floats
// to integers, and refuse some pairs only when a value comes.
func fits(t reflect.Type, oid uint32, types *pgtype.Map) bool {
	switch {
	case t == uuidType:
		return oid == pgtype.UUIDOID || slices.Contains(textOIDs, oid)
	case t == decimalType:
		return oid == pgtype.NumericOID || slices.Contains(textOIDs, oid)
	case t == timeType:
		return oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID || oid == pgtype.DateOID
	case t == durationType:
		return oid == pgtype.IntervalOID || oid == pgtype.Int8OID
	case t == addrType, t == prefixType:
		return slices.Contains(networkOIDs, oid)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return oid == pgtype.ByteaOID || slices.Contains(jsonOIDs, oid)
	case t.Implements(valuerType) || t.PkgPath() == reflect.TypeFor[pgtype.Text]().PkgPath():
		_, known := types.TypeForOID(oid)
		return known
	case marshalsText(t):
		return slices.Contains(textOIDs, oid)
	}
	return fitsByKind(t, oid, types)
}

func fitsByKind(t reflect.Type, oid uint32, types *pgtype.Map) bool {
	switch kind := t.Kind(); {
	case kind == reflect.String:
		return slices.Contains(textOIDs, oid) || slices.Contains(jsonOIDs, oid) || oid == pgtype.XMLOID
	case kind == reflect.Bool:
		return oid == pgtype.BoolOID
	case slices.Contains(wholeTypes, kind):
		return slices.Contains(integerOIDs, oid)
	case kind == reflect.Float32:
		return oid == pgtype.Float4OID || oid == pgtype.Float8OID || oid == pgtype.NumericOID
	case kind == reflect.Float64:
		return oid == pgtype.Float8OID || oid == pgtype.NumericOID
	case kind == reflect.Slice && arrayElement(oid, types) != 0:
		return fits(t.Elem(), arrayElement(oid, types), types)
	case slices.Contains(documentKind, kind):
		return slices.Contains(jsonOIDs, oid) && marshals(t)
	}
	return false
}

// arrayElement is the type of an array's elements, 0 where oid is no array.
func arrayElement(oid uint32, types *pgtype.Map) uint32 {
	if known, ok := types.TypeForOID(oid); ok {
		if array, ok := known.Codec.(*pgtype.ArrayCodec); ok {
			return array.ElementType.OID
		}
	}
	return 0
}

// marshals reports whether JSON can hold values of t: there are no functions or
// channels, and more than hidden fields.
func marshals(t reflect.Type) bool {
	b, err := json.Marshal(reflect.New(t).Interface())
	hidden := t.Kind() == reflect.Struct && t.NumField() > 0 &&
		!slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.IsExported() })
	return err == nil && (!hidden || string(b) != "{}")
}

// marshalsText reports whether values of t, or their addresses, have MarshalText.
func marshalsText(t reflect.Type) bool {
	return t.Implements(textMarshalerType) || t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(textMarshalerType)
}

// columnTypeOf is the type that a column for a Go type has in proposed DDL,
// empty when there is none.
func columnTypeOf(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return columnTypeOf(t.Elem())
	case t == uuidType:
		return "uuid"
	case t == timeType:
		return "timestamptz"
	case t == durationType:
		return "interval"
	case t == decimalType:
		return "numeric"
	case t == addrType, t == prefixType:
		return "inet"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "bytea"
	case t.Implements(valuerType), marshalsText(t):
		return "text"
	}
	return columnTypeOfKind(t)
}

func columnTypeOfKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Int8, reflect.Int16, reflect.Uint8:
		return "smallint"
	case reflect.Int32, reflect.Uint16:
		return "integer"
	case reflect.Int, reflect.Int64, reflect.Uint32:
		return "bigint"
	case reflect.Uint, reflect.Uint64:
		return "numeric"
	case reflect.Float32:
		return "real"
	case reflect.Float64:
		return "double precision"
	}
	if slices.Contains(documentKind, t.Kind()) && marshals(t) {
		return "jsonb"
	}
	return ""
}

// misfit says that a type does not fit a column, and what would.
func misfit(t reflect.Type, col column) error {
	return fmt.Errorf("%s does not fit the type %s; a column for it would be %s", t, col.typeName, columnTypeOf(t))
}

package postgresio

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// checkText refuses a field that a file fills (it has a csv tag) and whose column
// would store another value than PostgreSQL reads from the same text, or one that
// lacks a part of that text.
func (f field) checkText(col column) error {
	name, options, _ := strings.Cut(f.csv, ",")
	if f.csv == "" || f.csv == "-" {
		return nil
	}
	reason, remedy := lossOf(elemType(f.typ), col.typeOID, strings.Split(options, ","))
	if reason == "" {
		return nil
	}
	return fmt.Errorf("%s read from text does not fit the type %s: %s; %s", f.typ, col.typeName, reason, strings.ReplaceAll(remedy, "NAME", name))
}

// lossOf says what would be lost between a text that is read into a Go type and a
// column, and what to do; nothing where the column stores what PostgreSQL reads
// from the text. NAME in the remedy is the csv tag's.
func lossOf(t reflect.Type, oid uint32, options []string) (reason, remedy string) {
	day, zoneless := slices.Contains(options, "date"), slices.Contains(options, "timestamp")
	isFloat := t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
	switch {
	case t == timeType && oid == pgtype.DateOID && !day:
		return "a date drops the time of day", `make the column timestamptz, or write the tag csv:"NAME,date" if the file has days`
	case t == timeType && oid == pgtype.TimestampOID && !day && !zoneless:
		return "a timestamp drops the zone", `make the column timestamptz, or write the tag csv:"NAME,timestamp" if the file has times without a zone`
	case t == uuidType && slices.Contains(textOIDs, oid):
		return "the letters of the file would change", "make the column uuid, or the field a string"
	case t == decimalType && slices.Contains(textOIDs, oid):
		return "the digits of the file would change", "make the column numeric, or the field a string"
	case t.Kind() == reflect.Float32 && oid == pgtype.Float8OID:
		return "digits would be lost", "make the field a float64, or the column real"
	case isFloat && oid == pgtype.NumericOID:
		return "digits would be lost", "make the field a decimal.Decimal, or the column " + columnTypeOf(t)
	case t == durationType && oid == pgtype.IntervalOID:
		return "csvio reads nanoseconds, and PostgreSQL seconds", "make the column bigint, or fill it by a trigger"
	case t == rawJSONType && oid == pgtype.ByteaOID:
		return "JSON has escapes that bytea reads otherwise", "make the column jsonb or json, or the field a []byte"
	}
	return "", ""
}

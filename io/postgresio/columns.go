package postgresio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/jackc/pgx/v5/pgtype"
)

// field is a struct field with a db tag.
type field struct {
	column string
	goName string
	typ    reflect.Type
	offset uintptr
	// csv is the field's csv tag, as csvio reads it: empty where no file fills the
	// field.
	csv string
}

// fieldsOf resolves the `db:"column"` tags of a struct type. Fields without a
// tag, or with `db:"-"`, are not written.
func fieldsOf(t reflect.Type) ([]field, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("postgresio: %s is no struct; rows are structs whose fields have db:\"column\" tags", t)
	}
	var fields []field
	seen := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		column, tagged := f.Tag.Lookup("db")
		if !tagged || column == "-" {
			continue
		}
		switch {
		case !f.IsExported():
			return nil, fmt.Errorf("postgresio: %s.%s has a db tag and is not exported; export it or remove the tag", t, f.Name)
		case column == "" || strings.Contains(column, ","):
			return nil, fmt.Errorf("postgresio: %s.%s has the tag db:%q; it must be the name of a column", t, f.Name, column)
		case seen[column] != "":
			return nil, fmt.Errorf("postgresio: %s.%s and %s.%s have the same column %q", t, seen[column], t, f.Name, column)
		case columnTypeOf(f.Type) == "":
			return nil, fmt.Errorf("postgresio: %s.%s is a %s, which no column can hold", t, f.Name, f.Type)
		}
		seen[column] = f.Name
		fields = append(fields, field{column: column, goName: t.String() + "." + f.Name, typ: f.Type, offset: f.Offset, csv: f.Tag.Get("csv")})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("postgresio: %s has no field with a db:\"column\" tag", t)
	}
	return fields, nil
}

// rowEncoder turns a struct into a tuple of PostgreSQL's binary COPY format
// and into its key. It is resolved once for a type and a table.
type rowEncoder struct {
	fields []fieldEncoder
	key    keyFunc
}

type fieldEncoder struct {
	column string
	offset uintptr
	encode encodeFunc
}

// newRowEncoder matches the types of the fields with those of the table's
// columns, which are known to be there.
func newRowEncoder(fields []field, tab *table, types *pgtype.Map) (*rowEncoder, error) {
	encoders, err := fieldEncoders(fields, tab, types)
	if err != nil {
		return nil, err
	}
	return &rowEncoder{fields: encoders, key: tab.key.reader(fields)}, tab.checkUnwritten(fields)
}

// fieldEncoders leaves fields out whose columns are not there.
func fieldEncoders(fields []field, tab *table, types *pgtype.Map) (encoders []fieldEncoder, _ error) {
	var errs []error
	for _, f := range fields {
		col, there := tab.column(f.column)
		if !there {
			continue
		}
		encode, err := encoderOf(f.typ, col, types)
		if err == nil {
			err = f.checkText(col)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the field %s can't be written to the column %q of %s: %w", f.goName, col.name, tab.name, err))
		}
		encoders = append(encoders, fieldEncoder{column: col.name, offset: f.offset, encode: encode})
	}
	return encoders, errors.Join(errs...)
}

// columnsOf returns the names in the order of the tuple's fields.
func columnsOf(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.column
	}
	return names
}

// appendTuple appends the tuple of the struct at p: an int16 count of fields,
// and for each an int32 length (-1 for NULL) and its bytes. On an error, which
// is the value's fault and names the column, dst is returned as it was.
func (e *rowEncoder) appendTuple(dst []byte, p unsafe.Pointer) ([]byte, *columnError) {
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.fields)))
	for i := range e.fields {
		f := &e.fields[i]
		at := len(dst)
		dst = append(dst, 0xff, 0xff, 0xff, 0xff) // -1: NULL
		out, null, err := f.encode(dst, unsafe.Add(p, f.offset))
		if err != nil {
			return dst[:start], &columnError{f.column, err}
		}
		dst = out
		if !null {
			binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		}
	}
	return dst, nil
}

// columnError is a value that its column can't hold.
type columnError struct {
	column string
	err    error
}

func (e *columnError) Error() string { return "column " + e.column + ": " + e.err.Error() }

func (e *columnError) Unwrap() error { return e.err }

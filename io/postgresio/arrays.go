package postgresio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// arraysOf turns fields of tuples into an array for each column, and says how
// SQL reads them: as k, with the columns c0, c1 … and place, from 1. places are
// those of the columns in a tuple; nil is all, in order. An element of an array
// has the same form as a field of a tuple.
func arraysOf(rows []*row, columns []column, places []int) (params [][]byte, source string) {
	params = make([][]byte, len(columns))
	casts := make([]string, len(columns))
	width := 0 // of the part of a tuple that is read
	for i, c := range columns {
		params[i] = appendArrayHeader(make([]byte, 0, 20+20*len(rows)), c.oid, len(rows))
		casts[i] = fmt.Sprintf("$%d::%s[]", i+1, c.typeName)
		width = max(width, placeAt(places, i)+1)
	}
	fields := make([][]byte, width)
	for _, r := range rows {
		splitTuple(r.tuple(), fields)
		for i := range params {
			params[i] = append(params[i], fields[placeAt(places, i)]...)
		}
	}
	return params, fmt.Sprintf("unnest(%s) with ordinality k(%s, place)", strings.Join(casts, ", "), numbered("c", len(columns)))
}

// ask is arraysOf for the groups' keys. Uuids are taken from beside the rows,
// which lie all over the memory.
func (k *tableKey) ask(groups []*group) (params [][]byte, source string) {
	if !k.uuid {
		rows := make([]*row, len(groups))
		for i, g := range groups {
			rows[i] = g.rows[0].row
		}
		return arraysOf(rows, k.columns, k.places)
	}
	uuids := appendArrayHeader(make([]byte, 0, 20+20*len(groups)), k.columns[0].oid, len(groups))
	for _, g := range groups {
		uuids = g.rows[0].key.appendUUID(uuids)
	}
	_, source = arraysOf(nil, k.columns, k.places)
	return [][]byte{uuids}, source
}

// valuesOf is arraysOf for one row, with a parameter for each column: unnest
// would take arrays within arrays apart.
func valuesOf(r *row, columns []column, places []int) (params [][]byte, source string) {
	casts := make([]string, len(columns))
	for i, c := range columns {
		casts[i] = fmt.Sprintf("$%d::%s", i+1, c.typeName)
		f := tupleField(r.tuple(), placeAt(places, i))
		if isNull(f) {
			params = append(params, nil)
		} else {
			params = append(params, f[4:])
		}
	}
	return params, fmt.Sprintf("(values (%s, 1::bigint)) k(%s, place)", strings.Join(casts, ", "), numbered("c", len(columns)))
}

// placeAt is places[i]; nil is all, in order.
func placeAt(places []int, i int) int {
	if places == nil {
		return i
	}
	return places[i]
}

// appendArrayHeader appends the head of a one-dimensional binary array: int32
// dimensions, has-nulls flag, element type, length, lower bound (PostgreSQL,
// src/backend/utils/adt/arrayfuncs.c, array_recv).
func appendArrayHeader(dst []byte, element uint32, n int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, element)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	return binary.BigEndian.AppendUint32(dst, 1)
}

// numbered is prefix0, prefix1 … of n names.
func numbered(prefix string, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return strings.Join(names, ", ")
}

func binaryFormats(params [][]byte) []int16 {
	formats := make([]int16, len(params))
	for i := range formats {
		formats[i] = 1
	}
	return formats
}

// encodeFields is values as the fields of a tuple.
func encodeFields(values [][]byte) string {
	return string(appendFields(nil, values))
}

func appendFields(dst []byte, values [][]byte) []byte {
	for _, v := range values {
		if v == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// matches is the condition that a row t of the table has the key k. What is
// looked up is rounded as it is when it is stored.
func (k *tableKey) matches() string {
	conditions := make([]string, len(k.columns))
	for i, c := range k.columns {
		name := "t." + pgx.Identifier{c.name}.Sanitize()
		conditions[i] = fmt.Sprintf("%s = k.c%d::%s", name, i, c.exactName)
		if k.nullsEqual && c.nullable {
			conditions[i] = fmt.Sprintf("(%s or %s is null and k.c%d is null)", conditions[i], name, i)
		}
	}
	return strings.Join(conditions, " and ")
}

// returning lists the key's columns so that they come back as they were sent:
// of char(n) without the blanks that fill it up.
func (k *tableKey) returning() string {
	names := make([]string, len(k.columns))
	for i, c := range k.columns {
		names[i] = pgx.Identifier{c.name}.Sanitize()
		if isText(c) {
			names[i] += "::text"
		}
	}
	return strings.Join(names, ", ")
}

// repertoire is that of the database, which knows of all characters of the keys.
func (k *tableKey) repertoire(ctx context.Context, conn *pgx.Conn, groups []*group) (*repertoire, error) {
	has, err := repertoireFor(ctx, conn)
	if err != nil || has.encoding == "" {
		return has, err
	}
	var texts []string
	for _, g := range groups {
		for _, place := range k.texts {
			texts = append(texts, string(tupleField(g.rows[0].row.tuple(), place)[4:]))
		}
	}
	return repertoireFor(ctx, conn, texts...)
}

// lookable reports whether a row's key can be looked up. A text that PostgreSQL
// can't hold is in no table.
func (k *tableKey) lookable(r *row, has *repertoire) bool {
	for _, place := range k.texts {
		text := tupleField(r.tuple(), place)[4:]
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 || has.encoding != "" && bytes.ContainsFunc(text, has.lacks) {
			return false
		}
	}
	return true
}

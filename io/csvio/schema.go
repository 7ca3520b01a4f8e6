package csvio

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// schema is what a struct's csv tags say, resolved once for each type.
type schema struct {
	columns []column
	byName  map[string]int
}

// column is one tagged field.
type column struct {
	name     string
	optional bool
	time     string // optionDate or optionTimestamp, for a time.Time that is read so
	typ      reflect.Type
	offset   uintptr
	set      setter
}

// The options of a time.Time, named after the type of column that it fits: a day
// without a time, and a time without a zone.
const (
	optionDate      = "date"
	optionTimestamp = "timestamp"
)

// schemas caches the schema of a reflect.Type.
var schemas sync.Map

// mustSchema returns T's schema. It panics when the tags are wrong, which
// building a graph does.
func mustSchema[T any]() *schema { return mustSchemaOf(reflect.TypeFor[T]()) }

func mustSchemaOf(t reflect.Type) *schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*schema)
	}
	s, err := newSchema(t)
	if err != nil {
		panic(fmt.Errorf("csvio: %w", err))
	}
	schemas.Store(t, s)
	return s
}

func newSchema(t reflect.Type) (*schema, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is no struct: records are read into a struct whose fields have csv:\"column\" tags", t)
	}
	s := &schema{byName: map[string]int{}}
	for i := range t.NumField() {
		if err := s.add(t, t.Field(i)); err != nil {
			return nil, err
		}
	}
	if len(s.columns) == 0 {
		return nil, fmt.Errorf("%v has no field with a csv:\"column\" tag", t)
	}
	return s, nil
}

// add takes in one field of t.
func (s *schema) add(t reflect.Type, f reflect.StructField) error {
	tag, tagged := f.Tag.Lookup("csv")
	if !tagged && f.Anonymous && hasTags(f.Type) {
		return fmt.Errorf("%v.%s is embedded and has csv tags inside: write its fields into %v itself", t, f.Name, t)
	}
	if !tagged || tag == "-" {
		return nil
	}
	c, err := newColumn(tag, f)
	if err != nil {
		return fmt.Errorf("%v.%s: %w", t, f.Name, err)
	}
	if i, twice := s.byName[c.name]; twice {
		return fmt.Errorf("%v.%s: column %q is named twice (the other field has type %v): give each field a name of its own",
			t, f.Name, c.name, s.columns[i].typ)
	}
	s.byName[c.name] = len(s.columns)
	s.columns = append(s.columns, c)
	return nil
}

func newColumn(tag string, f reflect.StructField) (column, error) {
	name, options, _ := strings.Cut(tag, ",")
	c := column{name: name, typ: f.Type, offset: f.Offset}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "optional":
			c.optional = true
		case optionDate, optionTimestamp:
			c.time = option
		case "":
		default:
			return c, fmt.Errorf("tag csv:%q: the options are optional, date and timestamp, as in csv:\"%s,optional\"", tag, name)
		}
	}
	switch {
	case name == "" || name != strings.TrimSpace(name):
		return c, fmt.Errorf("tag csv:%q names no column: write csv:\"column\", without space around it, or csv:\"-\"", tag)
	case !f.IsExported():
		return c, fmt.Errorf("the field has a csv tag and is not exported: export it, or it is lost between two stages")
	case c.time != "" && f.Type != timeType && f.Type != reflect.PointerTo(timeType):
		return c, fmt.Errorf("tag csv:%q: the type %v is not time.Time, which the option %s needs", tag, f.Type, c.time)
	case c.time != "":
		c.set = timeSetter(f.Type, c.time)
		return c, nil
	}
	var ok bool
	if c.set, ok = setterOf(f.Type); !ok {
		return c, fmt.Errorf("type %v can't be read from text: use string, bool, an integer, a float, time.Time, uuid.UUID, []byte, "+
			"a type whose pointer implements encoding.TextUnmarshaler, or a pointer to one of them", f.Type)
	}
	return c, nil
}

// hasTags reports whether t is a struct, or a pointer to one, with csv tags.
func hasTags(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("csv"); tag != "" && tag != "-" {
			return true
		}
	}
	return false
}

// hash identifies the columns, their types and which are required. The order
// of the fields does not matter.
func (s *schema) hash() string {
	lines := make([]string, len(s.columns))
	for i, c := range s.columns {
		lines[i] = fmt.Sprintf("%q %v optional=%t\n", c.name, c.typ, c.optional)
		if c.time != "" {
			lines[i] = c.time + " " + lines[i]
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, ""))))[:16]
}

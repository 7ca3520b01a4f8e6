package csvio

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// splitVersion names the rules of this package by which files are cut. It
// changes whenever the same file and limits would give other ranges.
const splitVersion = "csv2"

// Fingerprint returns, as readable text, what decides where the ranges of a
// file begin and what its records mean: the version of the splitting, the
// limits, a hash of T's columns, and what the dialect has that DefaultDialect
// has not.
//
// It panics when T's csv tags are wrong.
func Fingerprint[T any](opts ...Option) string {
	return mustFingerprint(newOptions(opts), mustSchema[T]())
}

// mustFingerprint panics when the dialect does not fit the schema.
func mustFingerprint(o options, s *schema) string {
	if err := o.dialect.validateFor(s); err != nil {
		panic(fmt.Errorf("csvio: %w", err))
	}
	l := o.limits
	return fmt.Sprintf("%s;range_bytes=%d;range_records=%d;record_bytes=%d;schema=%s%s",
		splitVersion, l.RangeBytes, l.RangeRecords, l.RecordBytes, s.hash(), o.dialect.fingerprint())
}

// fingerprint names what is not as in the default dialect.
func (d Dialect) fingerprint() string { return d.unlike(DefaultDialect()) }

// unlike names what is not as in another dialect.
func (d Dialect) unlike(other Dialect) string {
	var b strings.Builder
	for _, p := range dialectParts {
		if got := p.get(&d); got != p.get(&other) {
			b.WriteString(";" + p.name + "=" + got)
		}
	}
	return b.String()
}

// dialectPart is one setting of a dialect in a fingerprint.
type dialectPart struct {
	name string
	get  func(*Dialect) string
	set  func(*Dialect, string) error
}

// dialectParts in the order in which a fingerprint has them, which never
// changes.
var dialectParts = []dialectPart{
	charPart("delimiter", func(d *Dialect) *byte { return &d.Delimiter }),
	charPart("quote", func(d *Dialect) *byte { return &d.Quote }),
	charPart("comment", func(d *Dialect) *byte { return &d.Comment }),
	boolPart("header", func(d *Dialect) *bool { return &d.Header }),
	listPart("columns", func(d *Dialect) *[]string { return &d.Columns }),
	listPart("null_value", func(d *Dialect) *[]string { return &d.NullValue }),
	boolPart("trim", func(d *Dialect) *bool { return &d.Trim }),
	{
		"encoding",
		func(d *Dialect) string { return escape(d.Encoding) },
		func(d *Dialect, text string) (err error) { d.Encoding, err = url.PathUnescape(text); return err },
	},
	charPart("escape", func(d *Dialect) *byte { return &d.Escape }),
	{
		"skip_lines",
		func(d *Dialect) string { return itoa(d.SkipLines) },
		func(d *Dialect, text string) (err error) { d.SkipLines, err = strconv.Atoi(text); return err },
	},
	boolPart("cr", func(d *Dialect) *bool { return &d.cr }),
}

func charPart(name string, of func(*Dialect) *byte) dialectPart {
	get := func(d *Dialect) string {
		if *of(d) == 0 {
			return ""
		}
		return escape(string(rune(*of(d))))
	}
	return dialectPart{name, get, func(d *Dialect, text string) error {
		char, err := url.PathUnescape(text)
		if err == nil && len(char) > 1 {
			err = errors.New("not one character")
		}
		if err != nil {
			return err
		}
		*of(d) = 0
		if char != "" {
			*of(d) = char[0]
		}
		return nil
	}}
}

func boolPart(name string, of func(*Dialect) *bool) dialectPart {
	get := func(d *Dialect) string { return strconv.FormatBool(*of(d)) }
	return dialectPart{name, get, func(d *Dialect, text string) (err error) {
		*of(d), err = strconv.ParseBool(text)
		return err
	}}
}

// listPart is for lists of texts that are not empty.
func listPart(name string, of func(*Dialect) *[]string) dialectPart {
	get := func(d *Dialect) string {
		texts := make([]string, len(*of(d)))
		for i, text := range *of(d) {
			texts[i] = escape(text)
		}
		return strings.Join(texts, ",")
	}
	return dialectPart{name, get, func(d *Dialect, text string) error {
		*of(d) = nil
		for part := range strings.SplitSeq(text, ",") {
			part, err := url.PathUnescape(part)
			if err != nil {
				return err
			}
			*of(d) = append(*of(d), part)
		}
		return nil
	}}
}

// escape writes as %XX what has a meaning in a fingerprint, what a reader could not see,
// and what the encoding of a database may lack.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("%;,=", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parseFingerprint returns what a file version was begun with. The schema in
// it does not matter to the split.
func parseFingerprint(text string) (*format, error) {
	version, rest, _ := strings.Cut(text, ";")
	if version != splitVersion {
		return nil, fmt.Errorf("fingerprint %q: the version of the splitting is %q, this program's is %q: "+
			"finish the file with the program it was begun with, or load it anew", text, version, splitVersion)
	}
	var l limits
	d := DefaultDialect()
	for part := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(part, "=")
		if err := parsePart(&l, &d, name, value); err != nil {
			return nil, fmt.Errorf("fingerprint %q: %s: %w", text, name, err)
		}
	}
	err := l.check()
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("fingerprint %q: %w", text, err)
	}
	return newFormat(l, d), nil
}

func parsePart(l *limits, d *Dialect, name, value string) error {
	numbers := map[string]*int64{"range_bytes": &l.RangeBytes, "range_records": &l.RangeRecords, "record_bytes": &l.RecordBytes}
	if to := numbers[name]; to != nil {
		n, err := strconv.ParseInt(value, 10, 64)
		*to = n
		return err
	}
	for _, p := range dialectParts {
		if p.name == name {
			return p.set(d, value)
		}
	}
	if name != "schema" {
		return errors.New("this program does not know it")
	}
	return nil
}

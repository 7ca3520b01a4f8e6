package csvio

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cartstream/cartstream/internal/nearest"
)

// The encodings a Dialect may name.
const (
	EncodingUTF8        = "utf-8"
	EncodingUTF16       = "utf-16"
	EncodingUTF16LE     = "utf-16le"
	EncodingUTF16BE     = "utf-16be"
	EncodingLatin1      = "latin1"
	EncodingWindows1252 = "windows-1252"
)

var encodings = []string{
	EncodingUTF8, EncodingUTF16, EncodingUTF16LE, EncodingUTF16BE, EncodingLatin1, EncodingWindows1252,
}

// Dialect says how the files are written. Begin with DefaultDialect and change
// what differs: the zero Dialect is none. ParseChar reads the characters from
// settings.
//
// Compression is no part of it: gzip, zstd and bzip2 are told by a file's
// content.
type Dialect struct {
	// Delimiter stands between fields: one ASCII character that is no letter,
	// digit or line end.
	Delimiter byte
	// Quote surrounds fields that hold delimiters and newlines, and is doubled
	// inside them. 0 is for files in which nothing is quoted.
	Quote byte
	// Escape, where not 0, stands before a quote inside quotes, and before itself,
	// as in PostgreSQL's COPY. Before other characters, and outside quotes, it is text.
	// A quote is not doubled then.
	Escape byte
	// Comment, where not 0, makes lines that begin with it no records. It
	// counts at a record's beginning only, not after white space.
	Comment byte
	// Header tells that the first record names the columns.
	Header bool
	// Columns names the fields by their position when there is no Header.
	Columns []string
	// SkipLines is the number of lines to skip at the start of each file, before the
	// header or the first record: titles, for example. Blank lines count.
	SkipLines int
	// NullValue lists texts, as \N and NULL, that stand for nothing: a field
	// that is one of them, and not quoted, is read as an empty one. So it is nil
	// for a pointer, empty for a string and a missing_value for other types.
	NullValue []string
	// Trim takes spaces and tabs off both ends of each field, also those
	// outside of its quotes. What is in quotes is kept.
	Trim bool
	// Encoding is one of the Encoding constants. EncodingUTF16 needs a byte
	// order mark; the other UTFs may have one.
	Encoding string

	// cr is set for a file whose lines end with CR only. It is found in the file.
	cr bool
}

// DefaultDialect returns RFC 4180's in UTF-8 with a header.
func DefaultDialect() Dialect {
	return Dialect{Delimiter: ',', Quote: '"', Header: true, Encoding: EncodingUTF8}
}

// ParseChar reads one of a Dialect's characters from settings: a single ASCII
// character, tab or \t for a tab, and nothing for 0.
func ParseChar(text string) (byte, error) {
	switch {
	case text == "":
		return 0, nil
	case text == "tab" || text == `\t`:
		return '\t', nil
	case len(text) == 1 && text[0] < utf8.RuneSelf:
		return text[0], nil
	}
	return 0, fmt.Errorf("found %s; allowed is one ASCII character, or tab", quoteShort(text))
}

// Validate says what is wrong. The message begins with the setting's name.
func (d Dialect) Validate() error {
	for _, check := range []func() error{d.checkChars, d.checkColumns, d.checkNulls} {
		if err := check(); err != nil {
			return err
		}
	}
	if !slices.Contains(encodings, d.Encoding) {
		return fmt.Errorf("encoding: found %q; allowed are %s", d.Encoding, strings.Join(encodings, ", "))
	}
	return nil
}

// ValidateFor is Validate, and finds out whether Columns have what T requires.
// It panics when T's csv tags are wrong.
func ValidateFor[T any](d Dialect) error { return d.validateFor(mustSchemaOf(reflect.TypeFor[T]())) }

func (d Dialect) validateFor(s *schema) error {
	if err := d.Validate(); err != nil || d.Header {
		return err
	}
	if _, fault := d.matchColumns(s); fault != nil {
		return fmt.Errorf("columns: %s%s", fault.Message, d.meant(fault.Column, s))
	}
	return nil
}

// meant asks whether a name that is no column was meant to be the one that is
// missing.
func (d Dialect) meant(missing string, s *schema) string {
	unknown := slices.DeleteFunc(slices.Clone(d.Columns), func(name string) bool { _, known := s.byName[name]; return known })
	if name := nearest.Name(missing, unknown); name != "" {
		return fmt.Sprintf("; did you mean %s by %s?", quoteShort(missing), quoteShort(name))
	}
	return ""
}

func (d Dialect) checkChars() error {
	switch {
	case !canSeparate(d.Delimiter):
		return notAllowed("delimiter", d.Delimiter, "one ASCII character that is no letter, digit or line end")
	case d.Quote != 0 && (!canSeparate(d.Quote) || isBlank(d.Quote)):
		return notAllowed("quote", d.Quote, "one ASCII character that is no letter, digit, white space or line end, or nothing where fields are not quoted")
	case d.Quote == d.Delimiter:
		return notAllowed("quote", d.Quote, "another character than the delimiter")
	case d.Escape != 0 && (!canSeparate(d.Escape) || isBlank(d.Escape)):
		return notAllowed("escape", d.Escape, "one ASCII character that is no letter, digit, white space or line end, or nothing where quotes are doubled")
	case d.Escape != 0 && d.Quote == 0:
		return notAllowed("escape", d.Escape, "nothing where fields are not quoted")
	case d.Escape != 0 && (d.Escape == d.Delimiter || d.Escape == d.Quote || d.Escape == d.Comment):
		return notAllowed("escape", d.Escape, "another character than the delimiter, the quote and the comment, or nothing where quotes are doubled")
	case d.Comment != 0 && (!canSeparate(d.Comment) || isBlank(d.Comment)):
		return notAllowed("comment", d.Comment, "one ASCII character that is no letter, digit, white space or line end, or nothing")
	case d.Comment != 0 && (d.Comment == d.Delimiter || d.Comment == d.Quote):
		return notAllowed("comment", d.Comment, "another character than the delimiter and the quote")
	}
	return nil
}

func notAllowed(name string, found byte, allowed string) error {
	what := fmt.Sprintf("%q", found)
	if found >= utf8.RuneSelf {
		what = fmt.Sprintf("0x%02x", found)
	}
	if found == 0 {
		what = "nothing"
	}
	return fmt.Errorf("%s: found %s; allowed is %s", name, what, allowed)
}

// canSeparate leaves letters and digits out: they are typing errors, as t for
// a tab.
func canSeparate(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	digit := '0' <= c && c <= '9'
	return c != 0 && c < utf8.RuneSelf && c != '\n' && c != '\r' && !letter && !digit
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func (d Dialect) checkColumns() error {
	switch {
	case d.SkipLines < 0:
		return fmt.Errorf("skip_lines: found %d; allowed is 0 or more", d.SkipLines)
	case d.Header && len(d.Columns) > 0:
		return fmt.Errorf("columns: found %s; allowed only where header is false: the header names the columns", quoteList(d.Columns))
	case !d.Header && len(d.Columns) == 0:
		return fmt.Errorf("columns: found none; where header is false, name the columns in the order of the fields")
	}
	for i, name := range d.Columns {
		switch {
		case name == "" || name != strings.TrimSpace(name) || !utf8.ValidString(name):
			return fmt.Errorf("columns: name %d is %s; allowed is text without white space around it (columns that are not known are left out)",
				i+1, quoteShort(name))
		case slices.Contains(d.Columns[:i], name):
			return fmt.Errorf("columns: %s stands there twice; allowed is once", quoteShort(name))
		}
	}
	return nil
}

func (d Dialect) checkNulls() error {
	never := string([]byte{'\n', '\r', d.Delimiter})
	if d.Quote != 0 {
		never += string(d.Quote)
	}
	for _, null := range d.NullValue {
		switch {
		case null == "" || !utf8.ValidString(null):
			return fmt.Errorf("null_value: found %s; allowed is text (an empty field stands for nothing already)", quoteShort(null))
		case strings.ContainsAny(null, never):
			return fmt.Errorf("null_value: found %s; allowed is text without the delimiter, the quote and line ends", quoteShort(null))
		case d.Trim && null != strings.Trim(null, " \t"):
			return fmt.Errorf("null_value: found %s; allowed is text without white space around it, because trim takes that off", quoteShort(null))
		}
	}
	return nil
}

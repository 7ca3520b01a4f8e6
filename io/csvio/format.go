package csvio

import "strings"

// format is all that a fingerprint says of how files are read.
type format struct {
	limits  limits
	dialect Dialect
	syntax  *syntax
	charset charset
}

func newFormat(l limits, d Dialect) *format {
	return &format{limits: l, dialect: d, syntax: newSyntax(d), charset: charsets[d.Encoding]}
}

// utf16 reports whether the files are UTF-16, which is read in sequence.
func (d Dialect) utf16() bool { return strings.HasPrefix(d.Encoding, EncodingUTF16) }

// formats keeps the format that was asked for last: files of one bundle mostly
// share it.
type formats struct {
	fingerprint string
	format      *format
}

func (f *formats) of(fingerprint string) (*format, error) {
	if f.format == nil || f.fingerprint != fingerprint {
		format, err := parseFingerprint(fingerprint)
		if err != nil {
			return nil, err
		}
		f.fingerprint, f.format = fingerprint, format
	}
	return f.format, nil
}

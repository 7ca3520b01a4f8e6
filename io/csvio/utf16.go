package csvio

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

var errNoByteOrderMark = errors.New("the file has no byte order mark, so it may be either kind of UTF-16: " +
	"set csv.encoding to utf-16le or utf-16be")

// utf16Reader reads UTF-16 as UTF-8. Half of a surrogate pair becomes the three
// bytes that UTF-8 forbids for it, and an odd byte at the end 0xff, so that the
// records that hold them are known for what they are. (x/text's decoder would
// put the replacement character there without a word.)
type utf16Reader struct {
	r io.Reader
	// order is nil until the byte order mark is read.
	order binary.ByteOrder
	buf   [32 << 10]byte
	have  int
	// out is what is decoded and not taken yet.
	out []byte
	err error
}

func newUTF16Reader(r io.Reader, encoding string) *utf16Reader {
	u := &utf16Reader{r: r}
	switch encoding {
	case EncodingUTF16LE:
		u.order = binary.LittleEndian
	case EncodingUTF16BE:
		u.order = binary.BigEndian
	}
	return u
}

// Read implements io.Reader.
func (u *utf16Reader) Read(b []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.fill()
	}
	n := copy(b, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) fill() {
	n, err := u.r.Read(u.buf[u.have:])
	u.have += n
	u.err = err
	if u.order == nil && u.have >= 2 {
		switch binary.BigEndian.Uint16(u.buf[:]) {
		case 0xfeff:
			u.order = binary.BigEndian
		case 0xfffe:
			u.order = binary.LittleEndian
		}
	}
	switch {
	case u.order != nil:
		u.decode()
	case u.have >= 2 || u.have == 1 && err != nil:
		u.err = errNoByteOrderMark
	}
}

// decode decodes what buf holds, but for what may go on with the next bytes.
func (u *utf16Reader) decode() {
	in, ended := u.buf[:u.have], u.err != nil
	out := u.out[:0]
	for len(in) >= 2 {
		r, size := rune(u.order.Uint16(in)), 2
		if utf16.IsSurrogate(r) {
			if len(in) < 4 && !ended {
				break
			}
			r, size = u.pair(in, r)
		}
		out = appendAny(out, r)
		in = in[size:]
	}
	if len(in) == 1 && ended {
		out, in = append(out, 0xff), nil
	}
	u.have = copy(u.buf[:], in)
	u.out = out
}

// pair joins two halves, or returns the first one alone.
func (u *utf16Reader) pair(in []byte, first rune) (rune, int) {
	if len(in) >= 4 {
		if r := utf16.DecodeRune(first, rune(u.order.Uint16(in[2:]))); r != utf8.RuneError {
			return r, 4
		}
	}
	return first, 2
}

// appendAny is utf8.AppendRune that writes surrogates too.
func appendAny(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(b, r)
}

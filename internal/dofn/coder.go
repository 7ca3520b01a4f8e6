package dofn

import (
	"bytes"
	"io"
	"reflect"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/coder"

	"github.com/cartstream/cartstream/transforms/record"
)

// What passes from one stage to the next has coders of its own here. They write
// what Beam's coder for structs writes, but for a runner it is bytes: those in Java
// take structs apart (2.62.0 fails on some of ours, with "varint overflow"), and
// would change paths that are no UTF-8.
func init() {
	beam.RegisterCoder(reflect.TypeFor[record.Work](), encodeWork, decodeWork)
	beam.RegisterCoder(reflect.TypeFor[record.Range](), encodeRange, decodeRange)
	beam.RegisterCoder(reflect.TypeFor[record.DeadLetter](), encodeDeadLetter, decodeDeadLetter)
}

func encodeWork(w record.Work) ([]byte, error)             { return Encode(w) }
func decodeWork(b []byte) (record.Work, error)             { return Decode[record.Work](b) }
func encodeRange(r record.Range) ([]byte, error)           { return Encode(r) }
func decodeRange(b []byte) (record.Range, error)           { return Decode[record.Range](b) }
func encodeDeadLetter(d record.DeadLetter) ([]byte, error) { return Encode(d) }
func decodeDeadLetter(b []byte) (record.DeadLetter, error) { return Decode[record.DeadLetter](b) }

// rowCoder is Beam's coder for a struct.
type rowCoder struct {
	encode func(any, io.Writer) error
	decode func(io.Reader) (any, error)
}

var rowCoders sync.Map // reflect.Type to rowCoder

func rowCoderFor(t reflect.Type) (rowCoder, error) {
	if c, ok := rowCoders.Load(t); ok {
		return c.(rowCoder), nil
	}
	encode, err := coder.RowEncoderForStruct(t)
	if err != nil {
		return rowCoder{}, err
	}
	decode, err := coder.RowDecoderForStruct(t)
	if err != nil {
		return rowCoder{}, err
	}
	c, _ := rowCoders.LoadOrStore(t, rowCoder{encode, decode})
	return c.(rowCoder), nil
}

// Encode writes a struct as Beam's coder for structs does.
func Encode[T any](v T) ([]byte, error) {
	c, err := rowCoderFor(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = c.encode(v, &buf)
	return buf.Bytes(), err
}

// Decode is the inverse of Encode.
func Decode[T any](b []byte) (v T, err error) {
	c, err := rowCoderFor(reflect.TypeFor[T]())
	if err != nil {
		return v, err
	}
	decoded, err := c.decode(bytes.NewReader(b))
	if err != nil {
		return v, err
	}
	return decoded.(T), nil
}

package dofn

import (
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/util/reflectx"
)

// The callers implement reflectx.Func, and the interface of their arity, which
// is what Beam's executor asks for.
var (
	_ reflectx.Func2x0 = (*caller2x0[int, int])(nil)
	_ reflectx.Func2x1 = (*caller2x1[int, int, int])(nil)
	_ reflectx.Func3x0 = (*caller3x0[int, int, int])(nil)
	_ reflectx.Func3x1 = (*caller3x1[int, int, int, int])(nil)
)

type caller2x0[A, B any] struct{ fn func(A, B) }

func (c *caller2x0[A, B]) Name() string       { return reflectx.FunctionName(c.fn) }
func (c *caller2x0[A, B]) Type() reflect.Type { return reflect.TypeOf(c.fn) }
func (c *caller2x0[A, B]) Call2x0(a, b any)   { c.fn(a.(A), b.(B)) }
func (c *caller2x0[A, B]) Call(args []any) []any {
	c.fn(args[0].(A), args[1].(B))
	return nil
}

type caller2x1[A, B, R any] struct{ fn func(A, B) R }

func (c *caller2x1[A, B, R]) Name() string         { return reflectx.FunctionName(c.fn) }
func (c *caller2x1[A, B, R]) Type() reflect.Type   { return reflect.TypeOf(c.fn) }
func (c *caller2x1[A, B, R]) Call2x1(a, b any) any { return c.fn(a.(A), b.(B)) }
func (c *caller2x1[A, B, R]) Call(args []any) []any {
	return []any{c.fn(args[0].(A), args[1].(B))}
}

type caller3x0[A, B, C any] struct{ fn func(A, B, C) }

func (k *caller3x0[A, B, C]) Name() string        { return reflectx.FunctionName(k.fn) }
func (k *caller3x0[A, B, C]) Type() reflect.Type  { return reflect.TypeOf(k.fn) }
func (k *caller3x0[A, B, C]) Call3x0(a, b, c any) { k.fn(a.(A), b.(B), c.(C)) }
func (k *caller3x0[A, B, C]) Call(args []any) []any {
	k.fn(args[0].(A), args[1].(B), args[2].(C))
	return nil
}

type caller3x1[A, B, C, R any] struct{ fn func(A, B, C) R }

func (k *caller3x1[A, B, C, R]) Name() string            { return reflectx.FunctionName(k.fn) }
func (k *caller3x1[A, B, C, R]) Type() reflect.Type      { return reflect.TypeOf(k.fn) }
func (k *caller3x1[A, B, C, R]) Call3x1(a, b, c any) any { return k.fn(a.(A), b.(B), c.(C)) }
func (k *caller3x1[A, B, C, R]) Call(args []any) []any {
	return []any{k.fn(args[0].(A), args[1].(B), args[2].(C))}
}

// Package dofn registers DoFns with Beam so that ProcessElement is called
// without reflection.
//
// The SDK's register package does so too, but for each DoFn it has the compiler
// make some ten thousand functions, one for each shape that StartBundle and
// FinishBundle might have: 5 s of compiling a DoFn, and for generic DoFns again
// in every package that names a T. Here only ProcessElement gets a caller of its
// own; what is called once a bundle goes by reflection.
//
// It also finds out what a runner would lose of elements and settings that go
// from one process to another.
package dofn

import (
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/util/reflectx"
)

// Register2x0 registers a DoFn with ProcessElement(A, B).
func Register2x0[A, B any](fn interface{ ProcessElement(A, B) }) {
	register(fn, func(fn any) reflectx.Func {
		return &caller2x0[A, B]{fn.(interface{ ProcessElement(A, B) }).ProcessElement}
	})
}

// Register2x1 registers a DoFn with ProcessElement(A, B) R.
func Register2x1[A, B, R any](fn interface{ ProcessElement(A, B) R }) {
	register(fn, func(fn any) reflectx.Func {
		return &caller2x1[A, B, R]{fn.(interface{ ProcessElement(A, B) R }).ProcessElement}
	})
}

// Register3x0 registers a DoFn with ProcessElement(A, B, C).
func Register3x0[A, B, C any](fn interface{ ProcessElement(A, B, C) }) {
	register(fn, func(fn any) reflectx.Func {
		return &caller3x0[A, B, C]{fn.(interface{ ProcessElement(A, B, C) }).ProcessElement}
	})
}

// Register3x1 registers a DoFn with ProcessElement(A, B, C) R.
func Register3x1[A, B, C, R any](fn interface{ ProcessElement(A, B, C) R }) {
	register(fn, func(fn any) reflectx.Func {
		return &caller3x1[A, B, C, R]{fn.(interface{ ProcessElement(A, B, C) R }).ProcessElement}
	})
}

// register makes the type known and wraps its methods: ProcessElement by
// process, the others by reflection.
func register(fn any, process func(fn any) reflectx.Func) {
	t := reflect.TypeOf(fn).Elem()
	beam.RegisterType(t)
	reflectx.RegisterStructWrapper(t, func(fn any) map[string]reflectx.Func {
		methods := map[string]reflectx.Func{}
		v := reflect.ValueOf(fn)
		for i := range v.NumMethod() {
			if name := v.Type().Method(i).Name; name == "ProcessElement" {
				methods[name] = process(fn)
			} else {
				methods[name] = reflectx.MakeFunc(v.Method(i).Interface())
			}
		}
		return methods
	})
}

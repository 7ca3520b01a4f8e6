// Package transforms holds the Beam transforms on records that stand between
// a reader and a sink. They know neither files nor databases.
//
// Validate stands in the line and is one-to-one: a record that breaks a rule
// becomes a fault, and markers pass untouched, because the sink counts what
// arrives. DeadLetters and Split stand beside the line: what they give is for
// people, for other sinks and for tests, and carries no markers.
//
// Each transform is generic in the record's type, so the file that defines T
// registers it, in an init function, before beam.Init:
//
//	transforms.Register[Event]()
//	transforms.RegisterRules[Event, EventRules]()
package transforms

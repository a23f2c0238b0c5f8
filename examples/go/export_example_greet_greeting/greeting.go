// Package export_example_greet_greeting is a link of the tower, in Go.
package export_example_greet_greeting

import "wit_component/example_greet_greeting"

// Greet answers what the link below says, in brackets.
func Greet(name string) string {
	return "Go[" + example_greet_greeting.Greet(name) + "]"
}

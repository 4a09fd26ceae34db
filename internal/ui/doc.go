// Package ui is the panel: an admin runs the whole queue from the keyboard.
//
// The root [Model] only routes: messages of the program go in, a screen comes
// out. Each pane is a plain struct in a file of its own; all read the same
// world, which only Update writes. Nothing here starts goroutines: what waits
// (the event stream, calls, timers) runs in commands of Bubble Tea and comes
// back as a message. Every string from outside goes through [Clean] once, when
// it enters.
package ui

//go:generate go run keys_gen.go ../../docs/keys.md

// Package api is the contract of the HTTP interface: the paths, the wire types
// and the one client. Whatever the panel and the command line can do, they do
// through [Client], so every other program can do it as well.
//
// Wire types are made from the vocabulary by pure functions ([FromJob],
// [View]); docs/protocol.md describes every call with an example.
package api

// Protocol is the version of the contract that hello announces. It grows when
// a client that was right would break.
const Protocol = 1

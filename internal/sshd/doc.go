// Package sshd lets people with a key open the panel by SSH, on a port of its
// own: no accounts, no shell, no command but the panel, no forwarding, no
// passwords. Who a visitor is, and whether they may only look, says the line of
// their key in a file that is read again whenever somebody knocks.
//
// The protocol is wish's; here stand the doors: keys, bounds on lines, visits
// and failures, and the end of a visit, whichever side ends it.
package sshd

// Package seal encrypts the secrets that are kept in the database, so that a stolen
// database or backup gives none of them away. The key lies outside of the database, in
// a file of its own or in the environment.
//
// It never touches the database and never decides what is secret. In the flow it
// stands between manage and dispatch, which work with secrets, and the store, which
// only sees sealed bytes. When the program starts, app loads the [Key], makes a [Box]
// of it and compares [Box.Check] with the value stored in the database, so that a
// wrong key is noticed before anything is written with it.
package seal

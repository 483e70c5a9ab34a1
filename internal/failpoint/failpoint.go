// Package failpoint names the places where the program may be made to die: every step
// between accepting an event and recording what came of it. The crash tests kill a process
// at each of them.
//
// A program that is built without the tag failpoints has none of this: Hit is empty
// there and is compiled away with its names, which a test looks for in the real binary.
package failpoint

// Env is the environment variable that says where a process dies: the name of a place,
// or the name, "#" and the number of the visit that it does not survive.
const Env = "FAILPOINT"

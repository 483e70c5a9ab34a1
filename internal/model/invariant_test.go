package model_test

// invariants are the 28 that the design promises, by their numbers. Those that are checked
// here are checked after every step, or with every request, by the function that is named.
var invariants = [...]struct {
	name string
	here bool
	by   string // the check, or why there is none here and who has it
}{
	{"no loss", true, "checkEvents, checkPlace, settle"},
	{"an event and its deliveries are one", true, "checkEvents, accepted"},
	{"one lease, one request", true, "checkAlone"},
	{"log before wire", true, "checkLogged as a request leaves, checkLog after"},
	{"attempts are numbered without gaps", true, "checkNumbers"},
	{"a retry is never early", true, "checkEarly"},
	{"Retry-After only delays, and by a day at most", true, "checkEarly"},
	{"attempts that count are as many as the schedule has steps", true, "checkSteps"},
	{"what has ended stays ended", true, "checkEnded"},
	{"nothing is sent to an endpoint that was stopped", true, "checkReceives"},
	{"what is for a stopped endpoint is held", true, "checkPlace, settle"},
	{"signatures are right", true, "checkSigned"},
	{"all attempts send the same bytes", true, "checkBody"},
	{"both secrets sign while they overlap, and one after", true, "checkSigned"},
	{"a second copy has a reason", true, "checkCopies"},
	{"a lost lease changes nothing", true, "lateOutcome, lateReturn"},
	{"publishing again is publishing once", true, "accepted, notAccepted, checkEvents"},
	{"accounts do not see each other", true, "trespass; every call is crossed in storetest and in the scope tests of api"},
	{"an endpoint that is well waits for nobody", true, "checkOverdue, settle; how long under load, the benchmarks say"},
	{"no more at once than is allowed", true, "checkRoom"},
	{"ordered mode", false, "there is none: no order is promised"},
	{"counts are right", true, "checkCounts, remove"},
	{"secrets stay in their envelope", false, "the bytes of database, logs and answers are searched for planted secrets by the canary of internal/crash"},
	{"what a person does is in the audit", true, "checkAudit"},
	{"retention takes only what has ended", true, "checkRetained"},
	{"a clock that goes back makes nothing unreachable", true, "checkOverdue, checkFar, settle"},
	{"a node that has stopped holds nothing", true, "stopInOrder"},
	{"no connection to a denied address", false, "nothing connects here; internal/egress runs the list of addresses"},
}

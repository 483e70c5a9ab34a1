package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want string
		good bool
	}{
		{
			name: "a good run shows its packages and not its tests",
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`,
			want: "ok  \tp\t0.1s\n1 passed, 0 failed, 0 skipped",
			good: true,
		},
		{
			name: "a package without tests is neither a failure nor a skipped test",
			in: `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`,
			want: "?   \tq\t[no test files]\n1 passed, 0 failed, 0 skipped",
			good: true,
		},
		{
			name: "a skipped test fails the run and says why it was skipped",
			in: `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: no database here\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}
`,
			want: "    b_test.go:3: no database here\n1 passed, 0 failed, 1 skipped",
		},
		{
			name: "a failed test is shown and its package not counted again",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
			want: "    a_test.go:9: got 1, want 2\nFAIL\tp\t0.1s\n1 passed, 1 failed, 0 skipped",
		},
		{
			name: "a package that does not compile is a failure, with the compiler's words",
			in: `{"Action":"pass","Package":"q","Test":"TestA"}
{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			want: "FAIL\tp [build failed]\np.go:1: undefined: x\n1 passed, 1 failed, 0 skipped",
		},
		{
			name: "a package that dies shows the tests that were running",
			in: `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}
`,
			want: "panic: test timed out\n1 passed, 1 failed, 0 skipped",
		},
		{
			name: "lines that are no events are go's own and are kept",
			in:   "go: cannot find main module\n",
			want: "go: cannot find main module\n0 passed, 0 failed, 0 skipped",
		},
		{name: "nothing ran", in: "", want: "0 passed, 0 failed, 0 skipped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			got, err := report(strings.NewReader(tt.in), &out)
			if err != nil {
				t.Fatalf("report: %v", err)
			}
			if diff := cmp.Diff(tt.want, out.String()+got.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if got.good() != tt.good {
				t.Errorf("good() = %t, want %t for %s", got.good(), tt.good, got)
			}
		})
	}
}

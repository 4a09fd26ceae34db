package comfy_test

import (
	"bytes"
	"fmt"
	"os"

	"github.com/comfyume/qmtui/internal/comfy"
)

func ExampleWhole() {
	file, err := os.ReadFile("testdata/samples/webm_vp9__webm_00001_.webm")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, size := range []int{0, 500, len(file)} {
		verdict, err := comfy.Whole(bytes.NewReader(file), int64(size), "webm_00001_.webm")
		fmt.Println(size, verdict, err)
	}
	// Output:
	// 0 partial <nil>
	// 500 partial <nil>
	// 993 complete <nil>
}

func ExampleMetadata() {
	file, err := os.ReadFile("testdata/samples/webm_vp9__webm_00001_.webm")
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := comfy.Metadata(bytes.NewReader(file), int64(len(file)), "webm_00001_.webm")
	fmt.Println(values["qm"], err)
	// Output:
	// {"job": "abc", "node": "9"} <nil>
}

package comfy

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// secretKeys are the account tokens that ComfyUI's page adds for paid API
// nodes. They must be gone before anything is stored, logged or forwarded.
var secretKeys = []string{"auth_token_comfy_org", "api_key_comfy_org"}

// forbiddenKeys would overrule what the server itself puts into extra_data. A
// client_id that is a list or an object ends the server's process
// (14-crash/client_id_list); create_time is its own.
var forbiddenKeys = []string{"client_id", "create_time"}

// Scrub gives extra_data without account tokens (at any depth) and without
// client_id and create_time. Nothing and null give nil. The error is a
// *Refusal: extra_data or its extra_pnginfo is not an object (ComfyUI answers
// 500, and a wrong extra_pnginfo breaks its /api/jobs), or a key of
// extra_pnginfo is outside latin-1 (the PNG node fails).
func Scrub(extra json.RawMessage) (json.RawMessage, error) {
	object, err := scrubbed(extra)
	if err != nil || object == nil {
		return nil, err
	}
	return encode(object)
}

func scrubbed(extra json.RawMessage) (map[string]any, error) {
	if trimmed := bytes.TrimSpace(extra); len(trimmed) == 0 || string(trimmed) == "null" {
		return nil, nil
	}
	if r := scan("extra_data", extra, Limits{}.withDefaults()); r != nil {
		return nil, r
	}
	value, err := decodeExact(extra)
	if err != nil {
		return nil, refuseExtra("extra_data is not JSON: " + err.Error())
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, refuseExtra("extra_data is not an object")
	}
	for _, key := range forbiddenKeys {
		delete(object, key)
	}
	dropSecrets(object)
	return object, faultyInfo(object)
}

// dropSecrets changes value, which is fresh from decodeExact and so nobody
// else's; scan has bounded its depth.
func dropSecrets(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range secretKeys {
			delete(v, key)
		}
		for _, inner := range v {
			dropSecrets(inner)
		}
	case []any:
		for _, inner := range v {
			dropSecrets(inner)
		}
	}
}

func faultyInfo(object map[string]any) error {
	value, has := object["extra_pnginfo"]
	if !has || value == nil {
		delete(object, "extra_pnginfo")
		return nil
	}
	info, ok := value.(map[string]any)
	if !ok {
		return refuseExtra("extra_data.extra_pnginfo is not an object")
	}
	for key := range info {
		if key == "" || !latin1(key) {
			return refuseExtra(fmt.Sprintf("the key %q of extra_data.extra_pnginfo is not latin-1, and PNG files cannot carry it", key))
		}
	}
	return nil
}

// latin1 also refuses control characters, NUL before all: it ends a PNG keyword.
func latin1(key string) bool {
	for _, r := range key {
		if r < 0x20 || r > 0xff || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

func refuseExtra(message string) *Refusal {
	return refuse("bad_extra_data", typeInvalid, message, `send an object such as {"extra_pnginfo": {"workflow": {...}}}`)
}

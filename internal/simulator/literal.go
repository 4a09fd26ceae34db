package simulator

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// literal converts a widget's value in place and checks it against its
// declaration: type, then min and max, then the list of a combo.
func (v *validation) literal(c *class, in input, inputs *object, value any) *object {
	if wrapped, ok := value.(*object); ok {
		if inner, has := wrapped.get("__value__"); has {
			value = inner
		}
	}
	converted, err := convert(in.kind, value)
	if err != nil {
		return unconvertible(in, value, err.Error())
	}
	inputs.set(in.name, converted)
	if c.name == "LoadImage" || c.name == "LoadImageMask" {
		if in.name == "image" {
			return v.loadable(in, converted)
		}
	}
	if reason := outOfRange(in, converted); reason != nil {
		return reason
	}
	return notInList(in, converted)
}

func (v *validation) loadable(in input, value any) *object {
	if v.inputFile(text(value)) {
		return nil
	}
	details := in.name + " - Invalid image file: " + text(value)
	return problem("custom_validation_failed", "Custom validation failed for node", details, dict("input_name", in.name))
}

func unconvertible(in input, value any, message string) *object {
	kind := text(in.kind)
	extra := dict("input_name", in.name, "input_config", in.config, "received_value", value, "exception_message", message)
	return problem("invalid_input_type", "Failed to convert an input value to a "+kind+" value",
		in.name+", "+text(value)+", "+message, extra)
}

func outOfRange(in input, value any) *object {
	for _, bound := range []struct {
		option, kind, words string
		sign                int
	}{{"min", "value_smaller_than_min", " smaller than min of ", -1}, {"max", "value_bigger_than_max", " bigger than max of ", 1}} {
		limit, has := in.options.get(bound.option)
		if has && compare(value, limit) == bound.sign {
			extra := dict("input_name", in.name, "input_config", in.config, "received_value", value)
			return problem(bound.kind, "Value "+text(value)+bound.words+text(limit), in.name, extra)
		}
	}
	return nil
}

// longList is where ComfyUI stops repeating a combo's choices.
const longList = 20

func notInList(in input, value any) *object {
	choices, ok := in.choices()
	if !ok {
		return nil
	}
	for _, c := range choices {
		if repr(c) == repr(value) {
			return nil
		}
	}
	shown, config := repr(choices), in.config
	if len(choices) > longList {
		shown, config = "(list of length "+strconv.Itoa(len(choices))+")", nil
	}
	extra := dict("input_name", in.name, "input_config", config, "received_value", value)
	return problem("value_not_in_list", "Value not in list", in.name+": '"+text(value)+"' not in "+shown, extra)
}

type conversionError string

func (e conversionError) Error() string { return string(e) }

// convert is int(), float(), str() or bool() of Python by declared type.
func convert(kind, value any) (any, error) {
	switch kind {
	case "INT":
		return toInt(value)
	case "FLOAT":
		return toFloat(value)
	case "STRING":
		return text(value), nil
	case "BOOLEAN":
		return truth(value), nil
	}
	return value, nil
}

func toInt(value any) (any, error) {
	switch v := value.(type) {
	case integer:
		return v, nil
	case bool:
		if v {
			return integer("1"), nil
		}
		return integer("0"), nil
	case float64:
		if math.IsNaN(v) {
			return nil, conversionError("cannot convert float NaN to integer")
		}
		if math.IsInf(v, 0) {
			return nil, conversionError("cannot convert float infinity to integer")
		}
		whole, _ := big.NewFloat(v).Int(nil)
		return integer(whole.String()), nil
	case string:
		whole, ok := new(big.Int).SetString(strings.TrimSpace(v), 10)
		if !ok {
			return nil, conversionError("invalid literal for int() with base 10: " + quoted(v))
		}
		return integer(whole.String()), nil
	}
	return nil, conversionError("int() argument must be a string, a bytes-like object or a real number, not '" + typeName(value) + "'")
}

func toFloat(value any) (any, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case integer:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f, nil
	case bool:
		if v {
			return 1.0, nil
		}
		return 0.0, nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return nil, conversionError("could not convert string to float: " + quoted(v))
		}
		return f, nil
	}
	return nil, conversionError("float() argument must be a string or a real number, not '" + typeName(value) + "'")
}

func truth(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case integer:
		return v != "0"
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *object:
		return len(v.keys) > 0
	}
	return true
}

// compare orders two numbers; 0 also when either is none.
func compare(a, b any) int {
	x, ok := asBig(a)
	y, ok2 := asBig(b)
	if !ok || !ok2 {
		return 0
	}
	return x.Cmp(y)
}

func asBig(v any) (*big.Float, bool) {
	switch v := v.(type) {
	case integer:
		f, _, err := big.ParseFloat(string(v), 10, 256, big.ToNearestEven)
		return f, err == nil
	case float64:
		if math.IsNaN(v) {
			return nil, false
		}
		return big.NewFloat(v), true
	}
	return nil, false
}

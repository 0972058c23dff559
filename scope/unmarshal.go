package scope

// UnmarshalJSON implements json.Unmarshaler, so that a Value can stand in a struct that is kept as JSON. It refuses
// what Parse refuses.
func (v *Value) UnmarshalJSON(data []byte) error {
	parsed, faults := Parse(data, DefaultLimits)
	if len(faults) > 0 {
		return faults
	}
	*v = parsed
	return nil
}

// IsZero lets the JSON option omitzero leave an absent Value out.
func (v Value) IsZero() bool { return v.IsAbsent() }

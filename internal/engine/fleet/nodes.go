package fleet

// Nodes is what the deployment in use last listed of its nodes, as GET
// /object_info has it; nil when it was never asked. It asks nobody.
func (f *Fleet) Nodes() []byte {
	info, _ := f.known()
	return info.JSON()
}

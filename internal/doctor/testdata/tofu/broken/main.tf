resource "verda_container" {

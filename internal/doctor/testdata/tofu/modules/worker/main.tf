variable "name" {}
variable "delay" {}

resource "datacrunch_container" "this" {
  count = 2
  name  = "${var.name}-${count.index}"
  scaling = {
    min_replica_count               = 0
    concurrent_requests_per_replica = 1
    scale_down_policy               = { delay_seconds = var.delay }
  }
  containers = [{ image = "comfyui", exposed_port = 8188, healthcheck = { enabled = "false" } }]
}

module "worker" {
  source   = "./worker"
  for_each = toset(["a", "b"])
  name     = "worker-${each.key}"
  delay    = 60
}

module "elsewhere" {
  source = "registry.example/comfyui/verda"
}

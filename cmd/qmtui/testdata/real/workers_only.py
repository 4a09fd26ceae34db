"""Custom nodes that only the workers have, for the test of what pages are given."""
import torch
from comfy_api.latest import Types

try:
    from comfy_api.latest._util.geometry_types import MESH
except ImportError:
    MESH = Types.MESH


class QmtuiWorkersOnly:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"pattern": (["plain", "stripes"],), "size": ("INT", {"default": 96, "min": 8, "max": 512})}}

    def run(self, pattern, size):
        image = torch.full((1, size, size, 3), 0.2)
        if pattern == "stripes":
            image[:, ::8] = 0.9
        return (image,)


class QmtuiTestMesh:
    """A tetrahedron: ComfyUI itself makes meshes with models only."""
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("MESH",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        corners = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
        return (MESH(corners, torch.tensor([[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]])),)


NODE_CLASS_MAPPINGS = {"QmtuiWorkersOnly": QmtuiWorkersOnly, "QmtuiTestMesh": QmtuiTestMesh}
NODE_DISPLAY_NAME_MAPPINGS = {"QmtuiWorkersOnly": "Qmtui Workers Only"}

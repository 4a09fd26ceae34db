"""A custom node that only the workers have, for the test of what pages are given."""
import torch


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


NODE_CLASS_MAPPINGS = {"QmtuiWorkersOnly": QmtuiWorkersOnly}
NODE_DISPLAY_NAME_MAPPINGS = {"QmtuiWorkersOnly": "Qmtui Workers Only"}

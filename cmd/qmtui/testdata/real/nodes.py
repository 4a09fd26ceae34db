"""Nodes for the tests against a real ComfyUI: sources that need no model, a slow node and one that fails.

The tests copy this file into a folder of custom nodes of their own; it is never installed anywhere else.
"""
import gzip
import struct
import time
import zipfile
from io import BytesIO
from types import SimpleNamespace

import torch


class QmtuiTestSVG:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("SVG",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": "hello"})}}

    def run(self, text):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><text x="4" y="32">{text}</text></svg>'
        return (SimpleNamespace(data=[BytesIO(svg.encode())]),)


class QmtuiTestMesh:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("MESH",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"height": ("INT", {"default": 1, "min": 1, "max": 0xFFFFFF})}}

    def run(self, height):
        from comfy_api.latest import Types

        corners = torch.tensor([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, float(height)]]], dtype=torch.float32)
        faces = torch.tensor([[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]], dtype=torch.int64)
        return (Types.MESH(corners, faces),)


class QmtuiTestSlow:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "tenths": ("INT", {"default": 10, "min": 1, "max": 100000})}}

    def run(self, image, tenths):
        import comfy.model_management
        import comfy.utils

        bar = comfy.utils.ProgressBar(tenths)
        for done in range(tenths):
            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(0.1)
            bar.update_absolute(done + 1, tenths)
        return (image,)


class QmtuiTestRaise:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "message": ("STRING", {"default": "boom"})}}

    def run(self, image, message):
        raise RuntimeError(message)


class QmtuiTestPicky(QmtuiTestRaise):
    """Its own check, which nobody can know from the list of nodes, takes no text at all."""

    @classmethod
    def VALIDATE_INPUTS(cls, message):
        return f"not {message}"


class QmtuiTestLora:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("LORA_MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1, "min": 0, "max": 0xFFFFFF})}}

    def run(self, value):
        return ({"a.lora_up.weight": torch.full((2, 2), float(value))},)


class QmtuiTestConditioning:
    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("CONDITIONING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        return ([[torch.zeros(1, 77, 8), {}]],)


class AnyType(str):
    def __ne__(self, other):
        return False


class QmtuiTestFile3D:
    """A small whole file of a 3D format that holds a number."""

    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", (AnyType("*"),)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 1, "min": 0, "max": 0xFFFFFF}), "format": (["ply", "splat", "spz", "stl", "usdz"],)}}

    def run(self, number, format):
        from comfy_api.latest import Types

        return (Types.File3D(BytesIO(getattr(self, format)(number)), file_format=format),)

    def ply(self, number):
        return f"ply\nformat ascii 1.0\ncomment {number}\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n{number} 0 0\n".encode()

    def splat(self, number):
        return struct.pack("<6f8B", number, 0, 0, 1, 1, 1, 200, 100, 50, 255, 255, 128, 128, 128) * 3

    def spz(self, number):
        head = struct.pack("<IIIBBBB", 0x5053474E, 2, 1, 0, 12, 0, 0)
        return gzip.compress(head + number.to_bytes(9, "little") + bytes([255]) + bytes(3) + bytes(3) + bytes(3))

    def stl(self, number):
        return b"qmtui".ljust(80) + struct.pack("<I12fH", 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, number, 0)

    def usdz(self, number):
        whole = BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as z:
            z.writestr("model.usda", f'#usda 1.0\ndef Sphere "s" {{ double radius = {number} }}\n')
        return whole.getvalue()


NODE_CLASS_MAPPINGS = {c.__name__: c for c in (QmtuiTestSVG, QmtuiTestMesh, QmtuiTestSlow, QmtuiTestRaise, QmtuiTestPicky, QmtuiTestLora, QmtuiTestConditioning, QmtuiTestFile3D)}

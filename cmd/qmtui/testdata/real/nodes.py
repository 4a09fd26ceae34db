"""Nodes for the tests against a real ComfyUI: sources that need no model, a slow node and one that fails.

The tests copy this file into a folder of custom nodes of their own; it is never installed anywhere else.
"""
import time
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
        corners = torch.tensor([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, float(height)]]], dtype=torch.float32)
        faces = torch.tensor([[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]], dtype=torch.int64)
        return (SimpleNamespace(vertices=corners, faces=faces),)


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


NODE_CLASS_MAPPINGS = {c.__name__: c for c in (QmtuiTestSVG, QmtuiTestMesh, QmtuiTestSlow, QmtuiTestRaise, QmtuiTestPicky)}

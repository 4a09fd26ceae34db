"""Save nodes for the tests against a real ComfyUI that name their files as popular packs do, and sources that tell whose a file is.

No table of the manager has these classes: it sees them as it sees any new pack.
"""
import json
import os
import time

import folder_paths
import numpy as np
import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


def picture(tensor):
    return Image.fromarray(np.clip(255.0 * tensor.cpu().numpy(), 0, 255).astype(np.uint8))


def info(prompt, extra):
    m = PngInfo()
    if prompt is not None:
        m.add_text("prompt", json.dumps(prompt))
    for key, value in (extra or {}).items():
        m.add_text(key, json.dumps(value))
    return m


def shown(name, folder):
    return {"filename": name, "subfolder": folder, "type": "output"}


class QmtuiTestBits:
    """A picture of 4 x 4 blocks, black or white: the bits of a number, which every format keeps. The label stands in the prompt."""

    CATEGORY, FUNCTION, RETURN_TYPES = "qmtui/test", "run", ("IMAGE", "STRING")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 0, "min": 0, "max": 65535}), "label": ("STRING", {"default": ""}), "batch_size": ("INT", {"default": 1, "min": 1, "max": 64})}}

    def run(self, number, label, batch_size):
        bits = torch.tensor([number >> i & 1 for i in range(16)], dtype=torch.float32).reshape(4, 4)
        blocks = bits.repeat_interleave(24, 0).repeat_interleave(32, 1)
        return (blocks[None, :, :, None].repeat(batch_size, 1, 1, 3), label)


class Saver:
    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE = "qmtui/test", "run", (), True
    INPUTS = {}

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"images": ("IMAGE",), **{name: ("STRING", {"default": default}) for name, default in cls.INPUTS.items()}}, "hidden": HIDDEN}


class QmtuiTestFlat(Saver):
    """A folder and a plain name. An error of the disk is only logged."""

    INPUTS = {"output_path": "", "filename_prefix": "ComfyUI"}

    def run(self, images, output_path, filename_prefix, prompt=None, extra_pnginfo=None):
        folder = os.path.join(folder_paths.get_output_directory(), output_path)
        os.makedirs(folder, exist_ok=True)
        ui = []
        for n, image in enumerate(images, len(os.listdir(folder)) + 1):
            name = f"{filename_prefix}_{n:04}.png"
            try:
                picture(image).save(os.path.join(folder, name), pnginfo=info(prompt, extra_pnginfo))
                ui.append(shown(name, output_path))
            except OSError as e:
                print("cannot save", e)
        return {"ui": {"images": ui}}


class QmtuiTestNamed(Saver):
    """The user's own file name below a folder; of a name that is there it writes over the file."""

    INPUTS = {"filename": "same", "path": "", "extension": "png"}
    EMBED = True

    def run(self, images, filename, path, extension, prompt=None, extra_pnginfo=None):
        folder = os.path.join(folder_paths.get_output_directory(), path)
        os.makedirs(folder, exist_ok=True)
        ui = []
        for n, image in enumerate(images):
            name = filename + (f"_{n:02}" if len(images) > 1 else "") + "." + extension
            picture(image).save(os.path.join(folder, name), **({"pnginfo": info(prompt, extra_pnginfo)} if self.EMBED else {}))
            ui.append(shown(name, path))
        return {"ui": {"images": ui}}


class QmtuiTestNamedBare(QmtuiTestNamed):
    EMBED = False


class QmtuiTestWhole(Saver):
    """One input names the whole file, in no folder, and nothing is embedded: history is all the evidence."""

    INPUTS = {"target": "same.jpg"}

    def run(self, images, target, prompt=None, extra_pnginfo=None):
        picture(images[0]).save(os.path.join(folder_paths.get_output_directory(), os.path.basename(target)))
        return {"ui": {"images": [shown(os.path.basename(target), "")]}}


class QmtuiTestBothFolders(Saver):
    """A prefix, and a folder that replaces it when it is absolute; a caption stands beside."""

    INPUTS = {"filename_prefix": "same", "output_folder": "output", "caption": ""}

    def run(self, images, filename_prefix, output_folder, caption, prompt=None, extra_pnginfo=None):
        base = output_folder if os.path.isabs(output_folder) else folder_paths.get_output_directory()
        full, stem, n, sub, _ = folder_paths.get_save_image_path(filename_prefix, base, images[0].shape[1], images[0].shape[0])
        if os.path.isabs(output_folder):
            full = output_folder
            os.makedirs(full, exist_ok=True)
        ui = []
        for n, image in enumerate(images, n):
            name = f"{stem}_{n:05}_.png"
            picture(image).save(os.path.join(full, name), pnginfo=info(prompt, extra_pnginfo))
            with open(os.path.join(full, name[:-4] + ".txt"), "w") as f:
                f.write(caption)
            ui.append(shown(name, sub))
        return {"ui": {"images": ui}}


class QmtuiTestOtherPrefix(Saver):
    """The prefix has another name, and nothing is embedded."""

    INPUTS = {"save_prefix": "same"}

    def run(self, images, save_prefix, prompt=None, extra_pnginfo=None):
        full, stem, n, sub, _ = folder_paths.get_save_image_path(save_prefix, folder_paths.get_output_directory(), images[0].shape[1], images[0].shape[0])
        ui = []
        for n, image in enumerate(images, n):
            name = f"{stem}_{n:05}_.jpg"
            picture(image).save(os.path.join(full, name))
            ui.append(shown(name, sub))
        return {"ui": {"images": ui}}


class QmtuiTestPassThrough(Saver):
    """Saves although it is no output node."""

    OUTPUT_NODE, RETURN_TYPES = False, ("IMAGE",)
    INPUTS = {"filename_prefix": "same"}

    def run(self, images, filename_prefix, prompt=None, extra_pnginfo=None):
        full, stem, n, _, _ = folder_paths.get_save_image_path(filename_prefix, folder_paths.get_output_directory(), 1, 1)
        picture(images[0]).save(os.path.join(full, f"{stem}_{n:05}_.png"), pnginfo=info(prompt, extra_pnginfo))
        return (images,)


class QmtuiTestSidecars(Saver):
    """Each picture has a caption and a JSON file of its number."""

    INPUTS = {"filename_prefix": "same", "caption": ""}

    def run(self, images, filename_prefix, caption, prompt=None, extra_pnginfo=None):
        full, stem, n, sub, _ = folder_paths.get_save_image_path(filename_prefix, folder_paths.get_output_directory(), images[0].shape[1], images[0].shape[0])
        ui = []
        for at, image in enumerate(images):
            name = os.path.join(full, f"{stem}_{n + at:05}_")
            picture(image).save(name + ".png", pnginfo=info(prompt, extra_pnginfo))
            with open(name + ".txt", "w") as f:
                f.write(f"{caption} {at}")
            with open(name + ".json", "w") as f:
                json.dump({"caption": caption, "at": at}, f)
            ui.append(shown(os.path.basename(name) + ".png", sub))
        return {"ui": {"images": ui}}


class QmtuiTestRewrite(Saver):
    """Writes its picture again 1.5 s after it was complete, with a watermark."""

    INPUTS = {"filename_prefix": "same"}

    def run(self, images, filename_prefix, prompt=None, extra_pnginfo=None):
        full, stem, n, sub, _ = folder_paths.get_save_image_path(filename_prefix, folder_paths.get_output_directory(), images[0].shape[1], images[0].shape[0])
        name = f"{stem}_{n:05}_.png"
        image = picture(images[0])
        image.save(os.path.join(full, name), pnginfo=info(prompt, extra_pnginfo))
        time.sleep(1.5)
        ImageDraw.Draw(image).rectangle((0, 0, 3, 3), fill=(255, 0, 0))
        image.save(os.path.join(full, name), pnginfo=info(prompt, extra_pnginfo))
        return {"ui": {"images": [shown(name, sub)]}}


class QmtuiTestTrickle(Saver):
    """One file every few seconds; nothing tells how many."""

    INPUTS = {"filename_prefix": "same"}

    @classmethod
    def INPUT_TYPES(cls):
        types = super().INPUT_TYPES()
        types["required"].update(files=("INT", {"default": 4}), seconds=("FLOAT", {"default": 5.0}))
        return types

    def run(self, images, filename_prefix, files, seconds, prompt=None, extra_pnginfo=None):
        full, stem, n, sub, _ = folder_paths.get_save_image_path(filename_prefix, folder_paths.get_output_directory(), images[0].shape[1], images[0].shape[0])
        ui = []
        for at in range(files):
            if at:
                time.sleep(seconds)
            name = f"{stem}_{n + at:05}_.jpg"
            picture(images[0]).save(os.path.join(full, name))
            ui.append(shown(name, sub))
        return {"ui": {"images": ui}}


class QmtuiTestQuietText:
    """A text file of the user's own name, which no history mentions."""

    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE = "qmtui/test", "run", (), True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""}), "root_dir": (["output"],), "file": ("STRING", {"default": "same.txt"})}}

    def run(self, text, root_dir, file):
        path = os.path.join(folder_paths.get_output_directory(), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return {}


NODE_CLASS_MAPPINGS = {name: value for name, value in list(globals().items()) if name.startswith("QmtuiTest")}

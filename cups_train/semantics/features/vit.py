"""Vision transformers of timm as frozen dense features: DINO (S/16, S/8, B/16, B/8), DINOv2 and DINOv3, for images of
any size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_train.errors import ModelError
from cups_train.semantics.features.foreign import ForeignWeights

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of all DINO networks
HEAD_WIDTH = 64  # channels of an attention head
SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large"}


@dataclass(frozen=True)
class VitSpec:
    """What is needed to build a vision transformer again."""

    name: str  # timm architecture
    patch: int  # px
    channels: int
    depth: int  # blocks
    image: int  # px, side of the images it was trained on; 0: it has no learned position embedding

    def build(self) -> nn.Module:
        import timm  # here, so that runs without it start faster

        size = {} if self.image == 0 else {"img_size": self.image}
        return timm.create_model(
            self.name,
            pretrained=False,
            num_classes=0,
            global_pool="",
            dynamic_img_size=True,
            patch_size=self.patch,
            embed_dim=self.channels,
            depth=self.depth,
            num_heads=self.channels // HEAD_WIDTH,
            **size,
        )


class VitFeatures(nn.Module):
    """Tokens of the last block after the final norm, without class and register tokens."""

    def __init__(self, spec: VitSpec) -> None:
        super().__init__()
        self.spec, self.channels = spec, spec.channels
        self.body = spec.build()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor, rows: Tensor) -> Tensor:
        """(B, 3, h, w) RGB 0..1 -> (B, channels, h/patch, w/patch), rounded; `rows` is not used: position comes with
        the embedding."""
        patch = self.spec.patch
        height, width = (max(1, round(n / patch)) for n in images.shape[-2:])
        if images.shape[-2:] != (height * patch, width * patch):
            images = functional.interpolate(images, (height * patch, width * patch), mode="bilinear", antialias=True)
        tokens = self._tokens(((images - self.mean) / self.deviation).contiguous())
        return (
            tokens[:, self.body.num_prefix_tokens :].transpose(1, 2).reshape(len(images), self.channels, height, width)
        )

    def _tokens(self, x: Tensor) -> Tensor:
        """DINO's own rule places its position embedding a little differently from timm's."""
        body = self.body
        if self.spec.image == 0 or body.num_prefix_tokens != 1:
            return body.forward_features(x)
        x = body.patch_embed(x)  # (B, h, w, C)
        position = dino_position_embedding(body.pos_embed, x.shape[1], x.shape[2])
        x = torch.cat([body.cls_token.expand(len(x), -1, -1), x.flatten(1, 2)], 1) + position
        for block in body.blocks:
            x = block(x)
        return body.norm(x)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "vit", "spec": asdict(self.spec)}


def dino_position_embedding(embedding: Tensor, height: int, width: int) -> Tensor:
    """(1, N + 1, C) of a square grid -> (1, height * width + 1, C): bicubic by (size + 0.1) / sqrt(N), as DINO's and
    DINOv2's code has it."""
    count = embedding.shape[1] - 1
    side = round(count**0.5)
    if (height, width) == (side, side):
        return embedding
    grid = embedding[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = (height + 0.1) / side, (width + 0.1) / side
    grid = functional.interpolate(grid, scale_factor=scale, mode="bicubic")
    return torch.cat([embedding[:, :1], grid.permute(0, 2, 3, 1).reshape(1, height * width, -1)], 1)


def load_vit(weights: ForeignWeights) -> VitFeatures:
    """The network that fits the weights' shapes. Raises ModelError where there is none."""
    from timm.models import eva, vision_transformer

    network = VitFeatures(spec_of(weights))
    source = {
        key: value.float()
        for key, value in weights.backbone.items()
        if not key.startswith(("head.", "fc_norm.", "dino_head.", "ibot_head."))
    }
    convert = eva.checkpoint_filter_fn if network.spec.image == 0 else vision_transformer.checkpoint_filter_fn
    try:
        network.body.load_state_dict(convert(source, network.body))
    except (RuntimeError, KeyError, ValueError) as error:
        raise ModelError(
            f"expected the weights of {network.spec.name} in {weights.source}, found others: "
            f"{' '.join(str(error).split())[:200]} (semantics.weights)"
        ) from error
    return network.eval().requires_grad_(False)


def spec_of(weights: ForeignWeights) -> VitSpec:
    """Read off the shapes: patch and channels from the patch embedding, blocks from the names. Raises ModelError."""
    state = weights.backbone
    patches = state.get("patch_embed.proj.weight")
    depth = len({key.split(".")[1] for key in state if key.startswith("blocks.") and key.endswith(".norm1.weight")})
    if patches is None or patches.ndim != 4 or not depth or patches.shape[0] % HEAD_WIDTH:
        raise ModelError(
            f"expected a vision transformer (DINO, DINOv2, DINOv3, STEGO or DepthG) in {weights.source}, found "
            f"{', '.join(sorted(state)[:3]) or 'no weights'} (semantics.weights)"
        )
    channels, patch = patches.shape[0], patches.shape[-1]
    size = SIZES.get(channels, "small")
    if "pos_embed" not in state:
        bias = "_qkvb" if "blocks.0.attn.qkv.bias" in state or "blocks.0.attn.q_bias" in state else ""
        return VitSpec(_known(f"vit_{size}_patch16_dinov3{bias}"), patch, channels, depth, 0)
    registers = "register_tokens" in state or "reg_token" in state
    # timm's files with registers have no class token here: rounding makes up for it
    side = round((state["pos_embed"].shape[1] - 1) ** 0.5)
    scaled = "blocks.0.ls1.gamma" in state
    name = f"vit_{size}_patch14_{'reg4_' if registers else ''}dinov2" if scaled else f"vit_{size}_patch16_224"
    return VitSpec(_known(name), patch, channels, depth, side * patch)


def _known(name: str) -> str:
    import timm

    if not timm.is_model(name):
        raise ModelError(
            f"expected a timm that knows {name}, found version {timm.__version__}; install a newer one "
            "(semantics.weights)"
        )
    return name

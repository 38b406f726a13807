"""`python -m ssd2_core convert`: a published checkpoint, or a model that was downloaded from the page, as a model folder."""

import argparse
from pathlib import Path


def add_command(parser: argparse.ArgumentParser) -> None:
    """The command and its options."""
    parser.add_argument("layout", choices=("ssdlm", "tess2", "visitor"),
                        help="whose: SSD-LM's, TESS-2's, or the two files that the page gives a visitor")
    parser.add_argument("folder", type=Path, help="of the checkpoint; for visitor the .safetensors file, its .json beside it")
    parser.add_argument("out", type=Path)
    parser.set_defaults(run=convert)


def convert(args: argparse.Namespace) -> int:
    """Read it once, offline, and write it as a model folder."""
    from ..registry.uploads import unpack
    if args.layout == "visitor":
        card = unpack(args.folder, args.out)
        print(f"{card.title}: {card.parameters:,} parameters in {args.out}")
        return 0
    from .convert_ssdlm import convert_ssdlm
    from .convert_tess2 import convert_tess2
    config = {"ssdlm": convert_ssdlm, "tess2": convert_tess2}[args.layout](args.folder, args.out)
    print(f"{config.title}: {config.num_parameters:,} parameters in {args.out}")
    return 0

"""The command line of training: ``python -m ssd2_core train RECIPE``. A recipe is imported when it is asked for."""

import argparse
from importlib import import_module

# recipe -> the module that has its arguments and runs it, what it does
RECIPES = {
    "compact": ("compact", "tokenizer, core, reader and islander from synthetic data, on a CPU"),
    "heldout": ("compact", "write the reported question sets"),
    "cards": ("model_card", "write the compact models' cards from an evaluation"),
    "sentiment": ("attribute_model", "the attribute model that guidance uses"),
    "adapt": ("adapt.cli", "train an autoregressive base to denoise blocks of plain text"),
    "instruct": ("adapt.cli", "train an adapted base to answer instructions"),
    "reader": ("adapt.cli", "train a small user expert that answers from documents, from some of the base's layers"),
    "sample": ("adapt.make_data", "let a base write instructions, and answers to them and to given ones"),
    "documents": ("adapt.make_data", "write synthetic documents with questions"),
    "personalise": ("finetune.learner", "fine-tune a small expert on your documents, in minutes on a CPU"),
    "david": ("david.recipe", "a small causal LM that reads documents, and keeps quiet where they do not answer"),
    "drafts": ("drafts.recipe", "draft masks for a causal LM: several tokens a step, the same answers"),
    "taught": ("experiments.finetune_gain", "what a fine-tuned expert answers about texts, before and after"),
    "scaling": ("experiments.ar_vs_diffusion", "the compact core at several sizes: held-out loss and accuracy"),
    "compare": ("experiments.ar_vs_diffusion", "what collaboration gains: diffusion against autoregression, paired bootstrap"),
}


class RecipeParser(argparse.ArgumentParser):
    """The command line of one recipe, which it gets from the recipe's module when it is first read."""

    recipe: str = ""

    def parse_known_args(self, args=None, namespace=None):
        """As always, with the recipe's arguments."""
        if self.recipe:
            module = import_module(f".{RECIPES[self.recipe][0]}", __package__)
            module.add_arguments(self, self.recipe)
            self.set_defaults(run=module.run)
            self.recipe = ""
        return super().parse_known_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    """The command line of ``train``."""
    top = argparse.ArgumentParser(prog="python -m ssd2_core train")
    recipes = top.add_subparsers(dest="recipe", required=True, parser_class=RecipeParser)
    for name, (_, about) in RECIPES.items():
        recipes.add_parser(name, help=about).recipe = name
    return top


def main(argv: list[str]) -> int:
    """Run one recipe."""
    args = parser().parse_args(argv)
    return args.run(args)

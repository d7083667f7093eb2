"""Names that people can remember, for runs that nobody has named: `calm-otter-47`."""

from __future__ import annotations

import hashlib

ADJECTIVES = (
    "able agile amber ample arctic azure bold brave breezy bright brisk broad bronze busy calm candid casual cheery "
    "chilly civil clear clever coastal copper coral cosmic cozy crisp daring dapper deep deft eager early earnest easy "
    "fair fancy fast fearless fleet fluffy fond frank free fresh frosty gentle giant glad golden grand green happy "
    "hardy hasty honest humble icy ideal jade jolly keen kind lively loyal lucky lunar mellow merry mighty misty "
    "modest neat nimble noble olive patient plucky polite proud quick quiet rapid ready rosy royal ruby rustic serene "
    "sharp shiny silver sincere sleek smart snowy solar steady sturdy sunny swift tidy tranquil vivid warm witty"
)
ANIMALS = (
    "alpaca badger bat bear beaver bee bison bobcat buffalo camel canary caribou cat cheetah cobra condor cougar crab "
    "crane cricket crow deer dingo dolphin donkey dove dragon duck eagle eel egret elk emu falcon ferret finch firefly "
    "flamingo fox frog gazelle gecko gibbon giraffe goat goose gopher hamster hare hawk hedgehog heron hippo hornet "
    "horse ibex ibis iguana impala jackal jaguar jay kiwi koala lark lemur leopard lion lizard llama lobster lynx "
    "magpie marmot marten meerkat mink mole moose moth mule newt octopus okapi orca ostrich otter owl ox panda panther "
    "parrot pelican penguin pigeon pony puffin puma quail rabbit raccoon ram raven robin salmon seal shark sloth snail "
    "sparrow squid stork swan tapir tiger toad toucan trout turtle walrus weasel whale wolf wombat yak zebra"
)
NUMBERS = range(10, 100)


def memorable_name(run_id: str) -> str:
    """The name of a run: always the same for the same id, and one of 1.2 million."""
    adjectives, animals = ADJECTIVES.split(), ANIMALS.split()
    number = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big")
    number, adjective = divmod(number, len(adjectives))
    number, animal = divmod(number, len(animals))
    return f"{adjectives[adjective]}-{animals[animal]}-{NUMBERS[number % len(NUMBERS)]}"

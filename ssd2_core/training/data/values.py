"""Makers of values: names, places, times, codes. A stable hash of the spelling decides its split."""

import random
from collections.abc import Callable
from zlib import crc32

Maker = Callable[[random.Random, str], str]


def is_heldout(text: str) -> bool:
    """Whether this spelling is kept out of training, in any letter case."""
    return crc32(text.lower().encode()) % 5 == 0


def pick(rng: random.Random, options):
    """One of ``options``; quicker than ``rng.choice``."""
    return options[int(rng.random() * len(options))]


def from_words(words) -> Maker:
    """A maker that draws from a list, or from a text of words parted by commas."""
    listed = [w.strip() for w in words.split(",")] if isinstance(words, str) else list(words)
    pools = {"train": [w for w in listed if not is_heldout(w)], "heldout": [w for w in listed if is_heldout(w)]}
    if not all(pools.values()):
        raise ValueError(f"a split has no words: {listed[:3]}")
    return lambda rng, split: pick(rng, pools[split])


def from_pattern(make: Callable[[random.Random], str]) -> Maker:
    """A maker that draws until the spelling belongs to the split."""
    def maker(rng: random.Random, split: str) -> str:
        wanted = split == "heldout"
        while True:
            text = make(rng)
            if is_heldout(text) == wanted:
                return text
    return maker


def mixed(*weighted: tuple[float, Maker]) -> Maker:
    """A maker that leaves the work to one of several, by weight."""
    edges, total = [], 0.0
    for weight, maker in weighted:
        total += weight
        edges.append((total, maker))

    def maker(rng: random.Random, split: str) -> str:
        roll = rng.random() * total
        return next((m for edge, m in edges if roll < edge), edges[-1][1])(rng, split)
    return maker


ONSETS = ("b c d f g h j k l m n p r s t v w y z br bl ch cl cr dr fl fr gl gr kr kl pl pr qu sh sk sl sm sn sp st sv "
          "th tr tw vl zh").split() + list("bdfgklmnprstv") * 2
VOWELS = list("aaaeeeiiooouu") * 3 + "y y ai ea ee ei ia ie io oa oo ou ue au".split()
CODAS = ["", "", "", "", "", *"l m n r s t k d x n r".split(), *"ld lm ll mp nd nt ng rk rn rt sk st sh th ck "
                                                                "ff".split()]


def spelling(rng: random.Random) -> str:
    """A pronounceable word that nobody has seen, with a capital letter."""
    while True:
        parts = []
        for _ in range(pick(rng, (2, 2, 2, 3, 3, 4))):
            if parts or rng.random() < 0.82:
                parts.append(pick(rng, ONSETS))
            parts.append(pick(rng, VOWELS))
            if rng.random() < 0.45:
                parts.append(pick(rng, CODAS))
        word = "".join(parts)
        if 3 < len(word) < 10:
            return word.capitalize()


made_up = from_pattern(spelling)

FEMALE = ("Lena, Mara, Anna, Sofia, Ines, Clara, Nadia, Yuki, Priya, Fatima, Greta, Olga, Ruth, Helen, Maya, Leila, "
          "Rosa, "
          "Ingrid, Amara, Zoe, Nora, Elif, Carmen, Dana, Edith, Freya, Hana, Irina, Joan, Katya, Lucy, Mei, Nina, "
          "Petra, "
          "Rita, Sara, Tessa, Una, Vera, Wanda, Alice, Beth, Celia, Dora, Emma, Fiona, Grace, Heidi, Iris, Julia, "
          "Kim, Lily")
MALE = ("Tomas, Omar, Felix, Ivan, Jonas, Karl, Liam, Marek, Nils, Oscar, Pablo, Ravi, Samir, Theo, Viktor, Yusuf, "
        "Anton, "
        "Bruno, Cyril, Diego, Emil, Frank, George, Hugo, Ian, Jack, Kofi, Leo, Milan, Noah, Otto, Peter, Ralph, "
        "Simon, Tim, "
        "Umar, Vince, Will, Adam, Boris, Carlo, David, Erik, Finn, Gavin, Henry, Isaac, Jakub, Kenji, Luis, Martin, "
        "Paul")
SURNAMES = ("Keller, Novak, Osman, Silva, Moreau, Harper, Lind, Okafor, Tanaka, Weber, Rossi, Brandt, Doyle, "
            "Ferris, Gupta, "
            "Hale, Ito, Jensen, Kovac, Lopez, Mensah, Nolan, Ortiz, Price, Quinn, Reyes, Sato, Turner, Vogel, "
            "Walsh, Young, "
            "Abbott, Baker, Cole, Duarte, Evans, Frost, Grant, Hughes, Irwin, Marsh, Patel, Stone, Wood, Zeller, "
            "Bell, Cruz")
female, male, listed_surname = from_words(FEMALE), from_words(MALE), from_words(SURNAMES)
female_name = mixed((0.5, made_up), (0.5, female))
male_name = mixed((0.5, made_up), (0.5, male))
surname = mixed((1, listed_surname), (1, made_up))
_first = mixed((0.6, made_up), (0.2, female), (0.2, male))


def _full_name(rng: random.Random) -> str:
    first = pick(rng, (FEMALE_LIST, MALE_LIST)) if rng.random() < 0.5 else None
    last = pick(rng, SURNAME_LIST) if rng.random() < 0.5 else spelling(rng)
    return f"{pick(rng, first) if first else spelling(rng)} {last}"


FEMALE_LIST, MALE_LIST, SURNAME_LIST = FEMALE.split(", "), MALE.split(", "), SURNAMES.split(", ")
full_name = from_pattern(lambda rng: next(n for n in iter(lambda: _full_name(rng), None) if len(n) < 16))
person = mixed((0.85, _first), (0.15, full_name))
titled = from_pattern(lambda rng: f"{pick(rng, ('Mr', 'Mrs', 'Ms', 'Dr'))} "
                      f"{pick(rng, SURNAME_LIST) if rng.random() < 0.4 else spelling(rng)}")
formal_person = mixed((0.6, person), (0.4, titled))

pet = mixed((0.6, made_up), (0.4, from_words(
    "Biscuit, Rex, Bella, Pepper, Luna, Milo, Shadow, Ginger, Coco, Patch, Smokey, Tiger, Daisy, Rusty, Honey, "
    "Nugget, "
    "Pickle, Waffles, Bandit, Socks, Misty, Oreo, Peanut, Ziggy, Mango, Snowy, Rocky, Willow, Toffee, Pumpkin, "
    "Clover, "
    "Domino, Felix, Gizmo, Hazel, Jasper, Kiki, Lucky, Muffin, Noodle, Olive, Poppy, Scout, Truffle, Whiskers, "
    "Sprout, "
    "Button, Pebble, Comet, Pretzel, Marble, Dusty, Sunny, Storm, Captain, Bubbles, Captain Fin, Mister Paws, "
    "Lady Grey")))

CITIES = ("Porto, Oslo, Lima, Cairo, Kyoto, Lyon, Ghent, Turin, Graz, Malmo, Leeds, Cork, Bergen, Riga, Sofia, "
          "Seville, "
          "Bilbao, Naples, Basel, Bremen, Krakow, Tartu, Vienna, Athens, Dublin, Quito, Accra, Hanoi, Perth, "
          "Boston, Denver, "
          "Austin, Toronto, Havana, Nairobi, Lagos, Delhi, Osaka, Seoul, Manila, Dakar, Tunis, Bern, Bruges, Split, "
          "Zadar, "
          "Utrecht, Aarhus, Tampere, Galway, York, Bath, Exeter, Nice, Lille, Nantes, Parma, Padua, Genoa, Malaga, "
          "Cadiz")
ENDINGS = "ford ham by ville ton wick stead burg mouth dale field haven port mere holm".split()
_town = from_pattern(lambda rng: _short(rng, 6) + pick(rng, ENDINGS))
city = mixed((0.35, from_words(CITIES)), (0.35, made_up), (0.3, _town))


def _short(rng: random.Random, most: int) -> str:
    return next(w for w in iter(lambda: spelling(rng), None) if len(w) <= most)


GROUND = ("Mill Oak Elm Church River Station Garden Harbour Rose Maple Castle Bridge Lake Park King Queen "
          "Chapel Orchard").split()
street = from_pattern(lambda rng: (f"{rng.randint(1, 180)} " if rng.random() < 0.35 else "")
                      + f"{pick(rng, GROUND) if rng.random() < 0.35 else _short(rng, 6)} "
                      + pick(rng, ("Street", "Street", "Road", "Lane", "Way", "Square", "Row", "Hill")))

ADJECTIVES = ("Silver Golden Blue Red Green Grey White Black Quiet Wild Little Big Old Young Brave Bright Dark Frozen "
              "Hidden "
              "Lucky Lost Merry North Pale Proud Rapid Royal Secret Sharp Silent Soft Solar Steel Stone Sunny Swift "
              "Tall "
              "Velvet Warm Winter Amber Copper Crimson Distant Early Endless Falling Flying Gentle Iron Ivory Last "
              "Second "
              "Broken Burning Clever Cold Dancing Empty Hollow Honest Humble Jolly Lazy Midnight Paper").split()
NOUNS = ("Heron Otter Falcon Lantern River Anchor Comet Harbour Maple Tiger Raven Fox Bear Wolf Eagle Owl Whale Tower "
         "Bridge "
         "Garden Mirror Candle Compass Cloud Storm Shadow Arrow Crown Island Forest Meadow Mountain Orchard Piano Ship "
         "Sail "
         "Star Moon Sun Rocket Violin Window Willow Hammer Feather Crane Beacon Canyon Castle Clock Dragon Ember "
         "Engine "
         "Glacier Horizon Kettle Ladder Letter Magnet Needle Orbit Pebble Prairie Robin Saddle Signal Sparrow Spoon "
         "Summit "
         "Thunder Tulip Valley Wagon Walnut Whistle").split()
two_words = from_pattern(lambda rng: next(
    n for n in iter(lambda: f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}", None) if len(n) < 16))
name_like = mixed((0.55, made_up), (0.45, two_words))
title = mixed((0.75, two_words), (0.25, made_up))
company = mixed((0.4, made_up), (0.25, two_words), (0.35, from_pattern(
    lambda rng: f"{_short(rng, 7)} " + pick(rng, ("Foods", "Bank", "Motors", "Labs", "Media", "Group", "Works",
                                                  "Energy")))))
school = from_pattern(lambda rng: f"{pick(rng, GROUND) if rng.random() < 0.4 else _short(rng, 7)} "
                      + pick(rng, ("School", "College", "Academy", "High")))
hotel = from_pattern(lambda rng: (f"Hotel {spelling(rng)}" if rng.random() < 0.5 else
                                  f"{_short(rng, 7)} {pick(rng, ('Inn', 'Lodge', 'Hotel', 'Palace'))}"))

TRADES = "violin piano math history art dance yoga swimming chess driving ski guitar drama biology music tennis".split()
job = mixed((0.75, from_words(
    "nurse, baker, plumber, pilot, carpenter, dentist, lawyer, farmer, chef, waiter, florist, tailor, welder, "
    "painter, "
    "librarian, architect, journalist, electrician, gardener, mechanic, optician, surgeon, translator, vet, barber, "
    "bus driver, taxi driver, train driver, postman, fisherman, engineer, accountant, programmer, photographer, "
    "editor, "
    "firefighter, paramedic, pharmacist, chemist, geologist, museum guide, tour guide, zookeeper, beekeeper, "
    "clockmaker, "
    "shoemaker, jeweller, potter, glassblower, roofer, bricklayer, locksmith, midwife, judge, actor, dancer, singer, "
    "sailor, miner, cleaner, cook, cashier, receptionist, secretary, night guard, lifeguard, forester, butcher, "
    "weaver, "
    "puppet maker, piano tuner, bookbinder, astronomer, illustrator, interpreter, economist, diver, crane operator")),
    (0.25, from_pattern(lambda rng: f"{pick(rng, TRADES)} {pick(rng, ('teacher', 'coach', 'tutor', 'instructor'))}")))

TINTS = ["dark ", "light ", "pale ", "bright ", "deep ", "soft "]
HUES = ("red blue green yellow orange purple pink brown grey teal black white silver gold turquoise violet beige cream "
        "maroon "
        "navy lilac mint olive coral crimson indigo amber scarlet lavender bronze copper ivory peach rust plum").split()
colour = mixed((0.5, from_words(HUES)), (0.5, from_pattern(lambda rng: pick(rng, TINTS) + pick(rng, HUES[:10]))))
STUFFS = ("lentil pumpkin tomato mushroom onion potato spinach chicken fish bean cheese lemon apple pear cherry plum "
          "walnut "
          "rice carrot leek garlic beef lamb crab shrimp corn cabbage honey pepper almond fig beet salmon "
          "turkey").split()
DISHES = "soup pie curry stew salad pasta tart cake bread rolls noodles dumplings pancakes risotto omelette".split()
food = mixed((0.6, from_pattern(lambda rng: f"{pick(rng, STUFFS)} {pick(rng, DISHES)}")), (0.4, from_words(
    "pizza, sushi, lasagne, ramen, tacos, paella, falafel, hummus, couscous, goulash, moussaka, ravioli, gnocchi, "
    "burritos, "
    "waffles, kimchi, pierogi, fondue, schnitzel, meatballs, fried rice, roast duck, apple crumble, tiramisu, "
    "croissants, "
    "fish fingers, spring rolls, fish and chips, pad thai, chilli, shakshuka, strudel, gazpacho, borscht, kebab")))
FRUITS = ("apple pear cherry lemon orange mango peach plum grape ginger mint berry melon lime fig quince rose vanilla "
          "honey "
          "coconut banana pineapple carrot tomato elderflower").split()
_sweet = from_pattern(lambda rng: f"{pick(rng, FRUITS)} {pick(rng, ('juice', 'tea', 'soda', 'smoothie', 'cider'))}")
drink = mixed((0.65, _sweet),
              (0.35, from_words("coffee, green tea, black tea, hot chocolate, lemonade, cold milk, oat milk, "
                                "espresso, cocoa, "
                                "iced tea, sparkling water, tonic water, ginger ale, cappuccino, kefir, "
                                "apple cider, malt beer")))
sport = from_words("tennis, football, rugby, hockey, chess, golf, judo, karate, rowing, sailing, surfing, skiing, "
                   "cycling, "
                   "swimming, fencing, archery, boxing, climbing, curling, diving, handball, basketball, "
                   "volleyball, cricket, "
                   "badminton, squash, table tennis, ice hockey, water polo, figure skating, long jump, high jump, "
                   "wrestling, "
                   "snooker, darts, bowling, baseball, softball, lacrosse, horse riding, triathlon, gymnastics, "
                   "kayaking")
hobby = from_words("knitting, gardening, painting, pottery, baking, fishing, hiking, sewing, origami, photography, "
                   "birdwatching, "
                   "woodcarving, bookbinding, stamp collecting, calligraphy, stargazing, model trains, juggling, "
                   "beekeeping, "
                   "dancing, singing, drawing, cooking, reading, camping, kite flying, rock climbing, crochet, "
                   "embroidery, "
                   "candle making, soap making, genealogy, astronomy, coin collecting, weaving, magic tricks, "
                   "board games, "
                   "puzzles, quilting, ice skating, running, folk dancing, glass painting, mushroom picking, "
                   "geocaching")
instrument = from_words("piano, violin, guitar, flute, cello, drums, harp, trumpet, clarinet, oboe, trombone, "
                        "saxophone, tuba, "
                        "ukulele, banjo, mandolin, accordion, harmonica, bassoon, viola, double bass, recorder, "
                        "xylophone, organ, "
                        "bagpipes, lute, sitar, bass guitar, bongos, French horn, piccolo, marimba, zither, "
                        "tin whistle, fiddle")
language = from_words("Spanish, French, German, Italian, Portuguese, Dutch, Danish, Swedish, Norwegian, Finnish, "
                      "Estonian, Latvian, "
                      "Polish, Czech, Slovak, Hungarian, Romanian, Bulgarian, Greek, Turkish, Arabic, Hebrew, "
                      "Persian, Hindi, Urdu, "
                      "Bengali, Tamil, Thai, Vietnamese, Korean, Japanese, Mandarin, Swahili, Zulu, Amharic, Hausa, "
                      "Irish, Welsh, "
                      "Basque, Catalan, Icelandic, Maltese, Albanian, Serbian, Croatian, Georgian, Armenian, "
                      "Russian, Ukrainian")
allergen = from_words("peanuts, walnuts, shellfish, eggs, milk, soy, wheat, strawberries, kiwi, pollen, cats, dogs, "
                      "horses, dust, wool, "
                      "latex, bee stings, penicillin, shrimp, sesame, celery, mustard, almonds, cashews, tomatoes, "
                      "bananas, mangoes, "
                      "peaches, feathers, mould, oysters, gluten, pepper, garlic, nickel, aspirin, grass, "
                      "birch pollen, apples, fish")
animal = from_words("otter, heron, badger, panda, koala, giraffe, elephant, penguin, dolphin, hedgehog, red fox, "
                    "snow leopard, zebra, "
                    "camel, llama, owl, eagle, falcon, squirrel, beaver, seal, whale, lynx, wolf, brown bear, "
                    "tortoise, gecko, octopus, "
                    "flamingo, parrot, kangaroo, moose, goat, donkey, polar bear, sloth, lemur, puffin, swan, "
                    "crane, tiger, walrus")
the_animal = from_pattern(lambda rng: f"the {animal(rng, 'train' if rng.random() < 0.6 else 'heldout')}")
brand = mixed((0.6, made_up), (0.4, from_words(
    "Toyota, Volvo, Fiat, Skoda, Renault, Honda, Mazda, Ford, Opel, Seat, Kia, Nissan, Peugeot, Audi, Saab, Subaru, "
    "Suzuki, "
    "Dacia, Citroen, Jeep, Lancia, Rover, Tesla, Lexus")))
material = from_words("oak, pine, steel, copper, brass, glass, marble, granite, cotton, wool, linen, silk, leather, "
                      "bamboo, cork, clay, "
                      "aluminium, plastic, rubber, felt, titanium, slate, walnut wood, beech wood, concrete, paper, "
                      "ceramic, velvet")
FOUND = ("mat pot gnome clock lamp shelf tin stove fridge drawer bench bucket basket mirror piano statue gate shed "
         "stairs vase sofa desk "
         "cupboard letterbox radiator doormat flowerpot birdhouse bookcase barrel ladder").split()
BOXES = ("pot tin fridge drawer bucket basket piano shed cupboard letterbox birdhouse bookcase barrel vase desk "
         "toolbox hall").split()
spot = from_pattern(lambda rng: f"{pick(rng, ('in', 'inside'))} the {pick(rng, BOXES)}" if rng.random() < 0.35 else
                    f"{pick(rng, ('under', 'behind', 'near', 'beside'))} the {pick(rng, FOUND)}")

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _code(rng: random.Random) -> str:
    a, b, n = pick(rng, LETTERS), pick(rng, LETTERS), rng.randint
    shape = int(rng.random() * 7)
    return (f"{a}{n(1, 9)}-{n(100, 999)}", f"{a}{b}-{n(10, 99)}", f"{n(1000, 9999)}", f"{a}{n(10, 999)}",
            f"{n(10, 99)}-{a}{b}",
            f"{n(10, 99)}{a}{n(10, 99)}", f"{n(100, 999)}-{n(100, 999)}")[shape]


def _password(rng: random.Random) -> str:
    one, two, n = spelling(rng).lower(), pick(rng, NOUNS).lower(), rng.randint(2, 99)
    return pick(rng, (f"{one}{n}", f"{two}-{n}", f"{two}{one}", f"{one.capitalize()}{n}", f"{one}_{two}",
                      f"{one}!{n}"))[:16]


HOURS = "one two three four five six seven eight nine ten eleven twelve".split()


def _time(rng: random.Random) -> str:
    hour, minute, shape = rng.randint(1, 12), 5 * rng.randint(0, 11), rng.random()
    if shape < 0.5:
        return f"{rng.randint(6, 23)}:{minute if rng.random() < 0.8 else rng.randint(0, 59):02d}"
    if shape < 0.7:
        return f"{hour} {pick(rng, ('am', 'pm'))}"
    if shape < 0.85:
        return f"{pick(rng, ('half past', 'quarter past', 'quarter to'))} {pick(rng, HOURS)}"
    return f"{hour}:{minute:02d} {pick(rng, ('am', 'pm'))}"


MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
code, password, time = from_pattern(_code), from_pattern(_password), from_pattern(_time)
digits = from_pattern(lambda rng: f"{rng.randint(0, 9999):04d}" if rng.random() < 0.5 else str(rng.randint(100, 99999)))
date = from_pattern(lambda rng: f"{rng.randint(1, 28)} {pick(rng, MONTHS)}" if rng.random() < 0.7
                    else f"{pick(rng, MONTHS)} {rng.randint(1, 28)}")
day = mixed((0.4, from_words([f"{d}" for d in DAYS])), (0.6, from_words(
    [f"{d} {p}" for d in DAYS for p in ("morning", "afternoon", "evening")])))
year = from_pattern(lambda rng: str(rng.randint(1890, 2025)))
small = from_pattern(lambda rng: pick(rng, HOURS[1:]) if rng.random() < 0.35 else str(rng.randint(2, 24)))
number = from_pattern(lambda rng: str(rng.randint(2, 99) if rng.random() < 0.6 else rng.randint(100, 2000)))
age = from_pattern(lambda rng: str(rng.randint(2, 97)))
shoe = from_pattern(lambda rng: f"{rng.randint(34, 48)}{'.5' if rng.random() < 0.25 else ''}")
bus = from_pattern(lambda rng: str(rng.randint(2, 399)) if rng.random() < 0.75
                   else f"{pick(rng, LETTERS)}{rng.randint(1, 60)}")
flight = from_pattern(lambda rng: pick(rng, LETTERS) + pick(rng, LETTERS) + pick(rng, ("", " "))
                      + str(rng.randint(100, 9999)))
room = mixed((0.5, from_pattern(lambda rng: f"Room {rng.randint(1, 420)}")), (0.2, from_pattern(
    lambda rng: f"{pick(rng, LETTERS)}{rng.randint(1, 60)}")), (0.3, from_pattern(
        lambda rng: f"{pick(rng, ('Hall', 'Studio', 'Lab', 'Suite'))} "
                    f"{pick(rng, NOUNS) if rng.random() < 0.5 else rng.randint(1, 40)}")))


def _price(rng: random.Random) -> str:
    n = rng.randint(2, 99) if rng.random() < 0.6 else rng.randint(100, 990)
    cents = f".{pick(rng, ('50', '90', '99', '20'))}" if rng.random() < 0.25 else ""
    return pick(rng, (f"{n} euros", f"{n}{cents} euros", f"${n}{cents}", f"£{n}{cents}", f"{n} dollars"))


price = from_pattern(_price)
weight = from_pattern(lambda rng: pick(rng, (f"{rng.randint(2, 60)} kg", f"{rng.randint(1, 9)}.{rng.randint(1, 9)} kg",
                                             f"{rng.randint(5, 95) * 10} grams")))
length = from_pattern(lambda rng: f"{rng.randint(2, 300)} {pick(rng, ('cm', 'metres'))}")
span = from_pattern(lambda rng: f"{rng.randint(2, 40)} {pick(rng, ('years', 'months', 'weeks'))}")
minutes = from_pattern(lambda rng: f"{rng.randint(3, 95)} minutes")
degrees = from_pattern(lambda rng: f"{rng.randint(110, 260)} degrees")
ingredient = from_words("lentils, pumpkin, tomatoes, mushrooms, onions, potatoes, spinach, chicken, fish, beans, "
                        "cheese, lemons, "
                        "apples, pears, cherries, plums, walnuts, rice, carrots, leeks, garlic, beef, lamb, crab, "
                        "shrimp, "
                        "corn, cabbage, honey, peppers, almonds, figs, beets, salmon, turkey, flour, oats, tofu, "
                        "celery, "
                        "rhubarb, apricots, raspberries, chickpeas, quinoa, barley, ginger, yoghurt, cream, peas, "
                        "bananas")
hint = from_pattern(lambda rng: f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}".lower())
short_name = from_pattern(lambda rng: _short(rng, 7))

"""Made-up instructions as people write them to an assistant: templates of each kind of topic, filled with its words."""

import random
from itertools import accumulate

TOPICS = {
    "thing": """
        rainbow, volcano, earthquake, hurricane, glacier, comet, black hole, solar eclipse, galaxy, satellite, telescope, microscope,
        magnet, battery, light bulb, steam engine, bicycle, sailing boat, submarine, helicopter, airplane, train, bridge, lighthouse,
        castle, pyramid, windmill, greenhouse, library, museum, hospital, school, market, bakery, farm, harbour, airport, thermometer,
        compass, clock, calendar, camera, telephone, radio, computer, keyboard, printer, robot, search engine, database, password,
        web browser, virus, vaccine, antibiotic, vitamin, heart, brain, lung, kidney, muscle, skeleton, tooth, cell, gene, enzyme,
        atom, molecule, crystal, mirror, lens, laser, rocket, parachute, balloon, kite, guitar, piano, violin, drum, orchestra, opera,
        novel, poem, newspaper, encyclopedia, dictionary, map, passport, coin, bank account, loan, budget, contract, election,
        parliament, constitution, court, tax, union, refrigerator, oven, washing machine, vacuum cleaner, umbrella, backpack, tent,
        candle, pillow, mattress, bicycle lock, ladder, hammer, screwdriver, sewing machine, loom, well, dam, canal, desert, rainforest,
        coral reef, river delta, waterfall, cave, island, mountain range, tide, cloud, thunderstorm, snowflake, season""",
    "subject": """
        photosynthesis, gravity, evolution, electricity, magnetism, evaporation, condensation, digestion, respiration, memory, sleep,
        hibernation, migration, pollination, erosion, recycling, composting, climate change, renewable energy, solar power, wind power,
        nuclear energy, artificial intelligence, machine learning, programming, mathematics, algebra, geometry, statistics, probability,
        physics, chemistry, biology, astronomy, geology, medicine, psychology, philosophy, history, geography, economics, inflation,
        democracy, law, journalism, architecture, painting, sculpture, photography, music, jazz, dance, theatre, cinema, literature,
        poetry, grammar, translation, sign language, cooking, baking, gardening, knitting, sewing, carpentry, pottery, fishing, hiking,
        camping, swimming, running, cycling, yoga, meditation, chess, football, tennis, basketball, skiing, sailing, friendship,
        honesty, patience, courage, kindness, gratitude, curiosity, creativity, teamwork, leadership, motivation, happiness, anger, fear,
        stress, loneliness, nutrition, exercise, first aid, dental hygiene, personal finance, saving money, investing, advertising,
        volunteering, travelling, public speaking, time management, remote work, education, childhood, retirement, marriage""",
    "animal": """
        dog, cat, horse, cow, sheep, goat, pig, chicken, duck, goose, rabbit, mouse, hamster, squirrel, hedgehog, fox, wolf, bear, deer,
        elk, beaver, otter, seal, whale, dolphin, shark, salmon, octopus, jellyfish, crab, lobster, snail, frog, snake, lizard, turtle,
        crocodile, eagle, owl, crow, sparrow, swan, penguin, parrot, flamingo, ostrich, bat, lion, tiger, leopard, elephant, giraffe,
        zebra, hippopotamus, rhinoceros, camel, kangaroo, koala, panda, monkey, gorilla, bee, ant, butterfly, spider, mosquito""",
    "place": """
        France, Germany, Italy, Spain, Portugal, England, Scotland, Ireland, Norway, Sweden, Finland, Denmark, Poland, Greece, Turkey,
        Egypt, Morocco, Kenya, Nigeria, South Africa, India, China, Japan, South Korea, Thailand, Vietnam, Indonesia, Australia,
        New Zealand, Canada, Mexico, Brazil, Argentina, Chile, Peru, Cuba, Iceland, Switzerland, Austria, the Netherlands, Paris,
        London, Rome, Berlin, Madrid, Vienna, Athens, Istanbul, Cairo, Tokyo, Sydney, New York, Chicago, the Amazon, the Sahara,
        the Alps, the Himalayas, Antarctica, the Mediterranean Sea, the Pacific Ocean, the Moon, Mars, Jupiter, Saturn, the Sun""",
    "food": """
        bread, cheese, butter, yoghurt, milk, eggs, rice, pasta, pizza, soup, salad, potatoes, tomatoes, carrots, onions, garlic,
        cabbage, spinach, beans, lentils, mushrooms, apples, bananas, oranges, lemons, strawberries, grapes, cherries, nuts, honey,
        chocolate, coffee, tea, pancakes, omelettes, sandwiches, pies, cookies, ice cream, fish, chicken, beef, tofu, curry, pepper,
        salt, sugar, olive oil, oatmeal, porridge, dumplings, noodles, pickles, jam, lemonade""",
    "person": """
        Albert Einstein, Isaac Newton, Marie Curie, Charles Darwin, Galileo Galilei, Leonardo da Vinci, Vincent van Gogh, Pablo Picasso,
        William Shakespeare, Jane Austen, Charles Dickens, Mark Twain, Leo Tolstoy, Wolfgang Amadeus Mozart, Ludwig van Beethoven,
        Johann Sebastian Bach, Nelson Mandela, Mahatma Gandhi, Martin Luther King, Abraham Lincoln, George Washington, Julius Caesar,
        Cleopatra, Napoleon, Christopher Columbus, Neil Armstrong, Ada Lovelace, Alan Turing, Nikola Tesla, Thomas Edison, Aristotle,
        Plato, Socrates, Confucius, Florence Nightingale, Louis Pasteur, Joan of Arc, Queen Victoria, Marco Polo, Hans Christian Andersen""",
    "trade": """
        teacher, nurse, doctor, dentist, pharmacist, farmer, baker, chef, waiter, carpenter, plumber, electrician, mechanic, painter,
        architect, engineer, programmer, scientist, librarian, journalist, lawyer, judge, police officer, firefighter, pilot, sailor,
        train driver, gardener, tailor, hairdresser, photographer, musician, actor, translator, accountant, manager, social worker""",
    "task": """
        boil an egg, bake bread, make coffee, cook rice, peel garlic, keep vegetables fresh, clean a window, remove a wine stain,
        iron a shirt, fold a map, sharpen a knife, paint a wall, hang a picture, fix a flat tyre, ride a bicycle, learn to swim,
        train a puppy, care for a cat, grow tomatoes, water houseplants, plant a tree, build a birdhouse, start a campfire, pitch a tent,
        pack a suitcase, read a map, find north without a compass, plan a birthday party, write a letter, write a poem, tell a story,
        give a speech, learn a language, remember names, study for an exam, take good notes, read faster, save money, make a budget,
        find a job, prepare for an interview, apologize to a friend, make new friends, comfort someone who is sad, calm down, fall asleep,
        wake up early, stop procrastinating, drink more water, eat healthier, start running, treat a burn, stop a nosebleed, choose a book,
        choose a password, back up a computer, write an email to my boss, ask for a day off, cancel an appointment, teach a child to read"""}
TEMPLATES = {
    "thing": """
        What is a {x}?|How does a {x} work?|What is a {x} used for?|Why is a {x} important?|Explain what a {x} is to a child.|
        Who invented the {x}?|Describe a {x} in one sentence.|Tell me something interesting about a {x}.|Name three facts about a {x}.|
        What would the world be like without a {x}?|Write a sentence that contains the word {x}.|Write a short poem about a {x}.|
        Give me a definition of {x}.|What does a {x} look like?|Write a short story about a {x}.""",
    "subject": """
        What is {x}?|Why is {x} important?|How does {x} work?|Explain {x} in simple words.|Give me three tips about {x}.|
        What are the benefits of {x}?|Tell me something interesting about {x}.|What should a beginner know about {x}?|
        Write a short paragraph about {x}.|What is the opposite of {x}?|How can I learn more about {x}?|Write a slogan about {x}.|
        Summarize the main idea of {x}.|What do people often get wrong about {x}?|Is {x} difficult?|Give an example of {x}.|
        Write a short poem about {x}.|How has {x} changed over time?""",
    "animal": """
        What does a {x} eat?|Where does a {x} live?|How long does a {x} live?|Is a {x} dangerous?|Tell me a fun fact about the {x}.|
        What is a young {x} called?|How does a {x} move?|Describe a {x}.|Write a short story about a {x}.|Can a {x} be a pet?|
        What sound does a {x} make?|How does a {x} protect itself?|Write a short poem about a {x}.|What is the difference between a {x} and a dog?""",
    "place": """
        What is {x} known for?|Where is {x}?|What is the weather like in {x}?|Tell me three facts about {x}.|Why should I visit {x}?|
        Describe {x} in one sentence.|How big is {x}?|What do people eat in {x}?|What should I pack for a trip to {x}?|
        What is the history of {x}?|Who lives in {x}?|Write a postcard from {x}.|What is the most famous thing in {x}?""",
    "food": """
        How do I cook {x}?|Are {x} healthy?|What goes well with {x}?|Give me a simple recipe with {x}.|How should I store {x}?|
        Where do {x} come from?|What can I use instead of {x}?|How can I tell if {x} has gone bad?|Suggest a dinner with {x}.|
        Why do people like {x}?|Describe the taste of {x}.""",
    "person": """
        Who was {x}?|What is {x} famous for?|When did {x} live?|Tell me one fact about {x}.|Why is {x} important?|
        What can we learn from {x}?|Where was {x} born?|Write a sentence about {x}.|What would you ask {x}?""",
    "trade": """
        What does a {x} do?|How do I become a {x}?|What does a {x} need to know?|What is hard about being a {x}?|
        What tools does a {x} use?|Describe a day of a {x}.|Why do we need a {x}?|Write a thank-you note to a {x}.|
        What makes a good {x}?|Write a short story about a {x}.""",
    "task": """
        How do I {x}?|What is the best way to {x}?|Give me three tips to {x}.|How can I {x} quickly?|What do I need to {x}?|
        Why is it hard to {x}?|Explain step by step how to {x}.|What should I not do when I {x}?|How long does it take to {x}?|
        Can you help me {x}?|I want to {x}. What should I do first?"""}
SINGLES = """
    Tell me a joke.|How are you?|Who are you?|What can you do?|Hello!|Good morning!|Good evening, how was your day?|Thank you!|
    I am bored. What can I do?|I feel sad today.|I am so happy!|I can't sleep.|Tell me a story.|Sing me a song.|Surprise me.|
    What should I cook tonight?|What should I read next?|What is your favourite colour?|Do you like music?|Can you dream?|
    How many days are in a week?|How many months are in a year?|What is two plus two?|What is ten times ten?|Count to ten.|
    Which day comes after Monday?|What colour is the sky?|What colour is grass?|Is the Earth round?|What is the largest ocean?|
    What is the tallest mountain?|What is the fastest animal?|What is the longest river?|Which planet is the largest?|
    Why do we have seasons?|Why do we sleep?|Why do cats purr?|Why do leaves change colour?|Why is the ocean salty?|
    Why do onions make us cry?|How do birds fly?|How do fish breathe?|How do plants grow?|Give me a quote about life.|
    Give me a compliment.|Give me a riddle.|Write a haiku.|Write a birthday wish.|Write a slogan for a coffee shop.|
    Suggest a name for a puppy.|Suggest a gift for my mother.|What is the meaning of life?|What is love?|What is time?|Goodbye!"""


def _split(text: str, mark: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(mark) if part.strip())


_TOPICS = {kind: _split(text, ",") for kind, text in TOPICS.items()}
_TEMPLATES = {kind: _split(text, "|") for kind, text in TEMPLATES.items()}
_SINGLES = _split(SINGLES, "|")
_KINDS = tuple(_TOPICS)
_COUNTS = tuple(accumulate(len(_TOPICS[kind]) * len(_TEMPLATES[kind]) for kind in _KINDS))


def count() -> int:
    """How many different instructions there are."""
    return _COUNTS[-1] + len(_SINGLES)


def instructions(rng: random.Random, number: int) -> list[str]:
    """Different instructions, at most ``count()``: every one without a topic, and others in equal chance."""
    made = [_filled(template, topic) for kind in _KINDS for template in _TEMPLATES[kind] for topic in _TOPICS[kind]]
    chosen = [*_SINGLES, *rng.sample(made, max(0, min(number, count()) - len(_SINGLES)))][:number]
    rng.shuffle(chosen)
    return chosen


def _filled(template: str, topic: str) -> str:
    """The template with its topic; "a" becomes "an" where the topic begins with a vowel."""
    article = "an" if topic[0] in "aeio" or topic.startswith("um") else "a"
    return template.replace("a {x}", f"{article} {{x}}").replace("A {x}", f"{article.capitalize()} {{x}}").replace("{x}", topic)

"""Tables of general facts for ``general.py``: one text per kind, "thing: value" pairs parted by commas."""

CAPITAL = """
France: Paris, Germany: Berlin, Italy: Rome, Spain: Madrid, Portugal: Lisbon, the United Kingdom: London,
Ireland: Dublin, the Netherlands: Amsterdam, Belgium: Brussels, Austria: Vienna, Poland: Warsaw, Hungary: Budapest,
the Czech Republic: Prague, Slovakia: Bratislava, Slovenia: Ljubljana, Croatia: Zagreb, Serbia: Belgrade,
Greece: Athens, Bulgaria: Sofia, Romania: Bucharest, Albania: Tirana, Ukraine: Kyiv, Russia: Moscow, Norway: Oslo,
Sweden: Stockholm, Finland: Helsinki, Denmark: Copenhagen, Iceland: Reykjavik, Estonia: Tallinn, Latvia: Riga,
Lithuania: Vilnius, Malta: Valletta, Cyprus: Nicosia, Turkey: Ankara, Egypt: Cairo, Morocco: Rabat, Tunisia: Tunis,
Algeria: Algiers, Libya: Tripoli, Kenya: Nairobi, Ethiopia: Addis Ababa, Ghana: Accra, Nigeria: Abuja, Senegal: Dakar,
Uganda: Kampala, Zambia: Lusaka, Angola: Luanda, Namibia: Windhoek, Iraq: Baghdad, Iran: Tehran, Saudi Arabia: Riyadh,
Jordan: Amman, Lebanon: Beirut, India: New Delhi, Pakistan: Islamabad, Nepal: Kathmandu, Bangladesh: Dhaka,
China: Beijing, Japan: Tokyo, South Korea: Seoul, Mongolia: Ulaanbaatar, Thailand: Bangkok, Vietnam: Hanoi,
the Philippines: Manila, Australia: Canberra, New Zealand: Wellington, Canada: Ottawa, the United States: Washington,
Cuba: Havana, Jamaica: Kingston, Argentina: Buenos Aires, Brazil: Brasilia, Chile: Santiago, Peru: Lima,
Colombia: Bogota, Venezuela: Caracas, Ecuador: Quito, Uruguay: Montevideo
"""

LANGUAGE = """
France: French, Germany: German, Austria: German, Italy: Italian, Spain: Spanish, Mexico: Spanish, Argentina: Spanish,
Cuba: Spanish, Chile: Spanish, Portugal: Portuguese, Brazil: Portuguese, the Netherlands: Dutch,
the United States: English, Australia: English, Jamaica: English, Russia: Russian, Ukraine: Ukrainian, Poland: Polish,
Sweden: Swedish, Denmark: Danish, Norway: Norwegian, Iceland: Icelandic, Finland: Finnish, Hungary: Hungarian,
Romania: Romanian, Bulgaria: Bulgarian, Greece: Greek, Turkey: Turkish, Iran: Persian, Israel: Hebrew, Egypt: Arabic,
Saudi Arabia: Arabic, Jordan: Arabic, China: Chinese, Japan: Japanese, South Korea: Korean, Thailand: Thai,
Vietnam: Vietnamese, Mongolia: Mongolian, Albania: Albanian, Croatia: Croatian, Slovakia: Slovak,
the Czech Republic: Czech, Estonia: Estonian, Latvia: Latvian, Lithuania: Lithuanian
"""

CURRENCY = """
Japan: yen, the United Kingdom: pound, Egypt: pound, the United States: dollar, Canada: dollar, Australia: dollar,
New Zealand: dollar, France: euro, Germany: euro, Italy: euro, Spain: euro, Ireland: euro, Greece: euro, India: rupee,
Pakistan: rupee, Nepal: rupee, China: yuan, Russia: rouble, Mexico: peso, Argentina: peso, Chile: peso, Cuba: peso,
Switzerland: franc, Sweden: krona, Iceland: krona, Denmark: krone, Norway: krone, Poland: zloty, Hungary: forint,
the Czech Republic: koruna, Turkey: lira, Thailand: baht, South Korea: won, Brazil: real, South Africa: rand,
Vietnam: dong, Israel: shekel, Ukraine: hryvnia, Romania: leu, Bangladesh: taka, Kenya: shilling, Uganda: shilling,
Nigeria: naira, Ghana: cedi, Ethiopia: birr, Malaysia: ringgit, Indonesia: rupiah, Saudi Arabia: riyal, Peru: sol,
Morocco: dirham, Jordan: dinar, Serbia: dinar, Kuwait: dinar, Georgia: lari, Kazakhstan: tenge, Albania: lek
"""

CONTINENT = """
France: Europe, Germany: Europe, Italy: Europe, Sweden: Europe, Poland: Europe, Greece: Europe, Portugal: Europe,
Finland: Europe, Hungary: Europe, Kenya: Africa, Nigeria: Africa, Morocco: Africa, Ghana: Africa, Ethiopia: Africa,
Zambia: Africa, Senegal: Africa, Algeria: Africa, Namibia: Africa, China: Asia, Japan: Asia, India: Asia,
Thailand: Asia, Vietnam: Asia, Nepal: Asia, Pakistan: Asia, Iraq: Asia, Mongolia: Asia, Brazil: South America,
Argentina: South America, Chile: South America, Peru: South America, Bolivia: South America, Uruguay: South America,
Ecuador: South America, Paraguay: South America, Venezuela: South America, Canada: North America,
Mexico: North America, the United States: North America, Guatemala: North America, Cuba: North America,
Honduras: North America, New Zealand: Oceania, Fiji: Oceania, Samoa: Oceania, Tonga: Oceania
"""

OPPOSITE = """
hot: cold, cold: hot, big: small, small: big, tall: short, long: short, young: old, new: old, fast: slow, slow: fast,
happy: sad, sad: happy, rich: poor, poor: rich, strong: weak, weak: strong, wet: dry, dry: wet, clean: dirty,
dirty: clean, full: empty, empty: full, open: closed, closed: open, early: late, late: early, high: low, low: high,
deep: shallow, shallow: deep, wide: narrow, narrow: wide, thick: thin, loud: quiet, quiet: loud, heavy: light,
soft: hard, easy: difficult, difficult: easy, cheap: expensive, expensive: cheap, good: bad, bad: good, true: false,
false: true, alive: dead, dead: alive, awake: asleep, asleep: awake, first: last, last: first, near: far, far: near,
safe: dangerous, dangerous: safe, brave: cowardly, polite: rude, rude: polite, rough: smooth, smooth: rough,
tight: loose, loose: tight, sharp: blunt, blunt: sharp, public: private, private: public, guilty: innocent,
innocent: guilty, ancient: modern, modern: ancient, major: minor, minor: major, positive: negative, negative: positive,
male: female, female: male, left: right, simple: complex, beautiful: ugly, ugly: beautiful, possible: impossible,
legal: illegal, visible: invisible, honest: dishonest, raw: cooked, even: odd, permanent: temporary,
temporary: permanent, absent: present, inner: outer, outer: inner, vertical: horizontal, horizontal: vertical,
wild: tame, artificial: natural
"""

YOUNG = """
dog: puppy, cat: kitten, cow: calf, elephant: calf, whale: calf, giraffe: calf, horse: foal, donkey: foal, zebra: foal,
sheep: lamb, goat: kid, pig: piglet, hen: chick, penguin: chick, duck: duckling, goose: gosling, swan: cygnet,
bear: cub, lion: cub, tiger: cub, deer: fawn, kangaroo: joey, koala: joey, frog: tadpole, owl: owlet, eagle: eaglet,
seal: pup, wolf: pup, otter: pup, bat: pup, hare: leveret, spider: spiderling, butterfly: caterpillar, pigeon: squab,
turkey: poult, eel: elver, llama: cria, hedgehog: hoglet
"""

SOUND = """
dog: barks, cat: meows, cow: moos, sheep: bleats, goat: bleats, pig: oinks, horse: neighs, duck: quacks, lion: roars,
tiger: roars, snake: hisses, bee: buzzes, fly: buzzes, owl: hoots, wolf: howls, frog: croaks, mouse: squeaks,
rooster: crows, donkey: brays, turkey: gobbles, elephant: trumpets, goose: honks, pigeon: coos, dove: coos, crow: caws,
cricket: chirps, sparrow: chirps, hen: clucks, bear: growls, hyena: laughs
"""

HOME = """
bee: hive, sparrow: nest, robin: nest, spider: web, horse: stable, dog: kennel, rabbit: burrow, fox: den, wolf: den,
pig: sty, ant: anthill, hen: coop, beaver: lodge, squirrel: drey, badger: sett, eagle: eyrie, otter: holt,
termite: mound, hamster: cage, goldfish: bowl, snail: shell
"""

HABITAT = """
camel: in the desert, polar bear: in the Arctic, emperor penguin: in Antarctica, shark: in the sea,
dolphin: in the sea, blue whale: in the sea, gorilla: in the rainforest, sloth: in the rainforest,
giraffe: on the savannah, zebra: on the savannah, lion: on the savannah, kangaroo: in Australia, koala: in Australia,
giant panda: in China, tadpole: in a pond, trout: in a river, mole: under the ground, earthworm: in the soil,
clownfish: on a coral reef, ibex: in the mountains, moose: in the forest
"""

ANIMAL_CLASS = """
dog: mammal, cat: mammal, horse: mammal, whale: mammal, dolphin: mammal, bat: mammal, elephant: mammal, mouse: mammal,
kangaroo: mammal, seal: mammal, rabbit: mammal, owl: bird, eagle: bird, penguin: bird, ostrich: bird, swan: bird,
parrot: bird, duck: bird, hen: bird, robin: bird, shark: fish, salmon: fish, trout: fish, tuna: fish, eel: fish,
cod: fish, goldfish: fish, herring: fish, snake: reptile, lizard: reptile, crocodile: reptile, turtle: reptile,
tortoise: reptile, gecko: reptile, iguana: reptile, frog: amphibian, toad: amphibian, newt: amphibian,
salamander: amphibian, ant: insect, bee: insect, wasp: insect, beetle: insect, butterfly: insect, fly: insect,
mosquito: insect, grasshopper: insect, ladybird: insect, spider: arachnid, scorpion: arachnid, tick: arachnid,
snail: mollusc, slug: mollusc, octopus: mollusc, squid: mollusc, oyster: mollusc, crab: crustacean,
lobster: crustacean, shrimp: crustacean, crayfish: crustacean
"""

COUNT = """
days in January: 31, days in March: 31, days in April: 30, days in May: 31, days in June: 30, days in July: 31,
days in August: 31, days in September: 30, days in October: 31, days in November: 30, days in December: 31,
days in a week: 7, days in a leap year: 366, hours in a day: 24, minutes in an hour: 60, seconds in a minute: 60,
months in a year: 12, weeks in a year: 52, years in a decade: 10, years in a century: 100, years in a millennium: 1000,
millimetres in a centimetre: 10, centimetres in a metre: 100, metres in a kilometre: 1000, grams in a kilogram: 1000,
cents in a dollar: 100, letters in the English alphabet: 26, eggs in a dozen: 12, keys on a piano: 88,
strings on a violin: 4, strings on a guitar: 6, squares on a chessboard: 64, players in a football team: 11,
planets in the solar system: 8, colours in a rainbow: 7, rings on the Olympic flag: 5, stars on the American flag: 50,
wheels on a bicycle: 2, wheels on a tricycle: 3, fingers on a hand: 5, zeros in a million: 6
"""

SIDES = """
triangle: 3, square: 4, rectangle: 4, pentagon: 5, hexagon: 6, heptagon: 7, octagon: 8, nonagon: 9, decagon: 10,
dodecagon: 12
"""

LEGS = """
dog: 4, horse: 4, cow: 4, elephant: 4, frog: 4, hen: 2, ostrich: 2, penguin: 2, duck: 2, owl: 2, ant: 6, bee: 6,
beetle: 6, butterfly: 6, mosquito: 6, spider: 8, scorpion: 8, tick: 8, crab: 10, lobster: 10, snake: 0, earthworm: 0,
shark: 0, tripod: 3, woodlouse: 14
"""

COLOUR = """
snow: white, milk: white, salt: white, flour: white, a swan: white, a polar bear: white, grass: green, spinach: green,
a cucumber: green, a lime: green, broccoli: green, an emerald: green, a frog: green, blood: red, a tomato: red,
a strawberry: red, a cherry: red, a ruby: red, a fire engine: red, a banana: yellow, a lemon: yellow,
a sunflower: yellow, an egg yolk: yellow, a canary: yellow, the sky: blue, the sea: blue, a sapphire: blue,
denim: blue, a carrot: orange, a pumpkin: orange, a tangerine: orange, a clownfish: orange, coal: black, soot: black,
tar: black, a raven: black, chocolate: brown, cocoa: brown, tree bark: brown, a chestnut: brown, an elephant: grey,
a dolphin: grey, cement: grey, ash: grey, lavender: purple, an aubergine: purple, an amethyst: purple, a plum: purple,
a flamingo: pink, a pig: pink
"""

MATERIAL = """
window: glass, mirror: glass, wine bottle: glass, tyre: rubber, balloon: rubber, newspaper: paper, envelope: paper,
banknote: paper, candle: wax, crayon: wax, brick: clay, flowerpot: clay, jumper: wool, mitten: wool, saddle: leather,
belt: leather, snowman: snow, igloo: snow, sandcastle: sand, T-shirt: cotton, tea towel: cotton, barrel: wood,
matchstick: wood, log cabin: wood, sword: steel, paper clip: steel, bucket: plastic, toothbrush: plastic,
carrier bag: plastic, wedding ring: gold, crown: gold, horseshoe: iron, anvil: iron, drinks can: aluminium,
icicle: ice, hockey rink: ice, parcel box: cardboard, egg carton: cardboard, tombstone: stone, pyramid: stone
"""

INGREDIENT = """
cheese: milk, butter: cream, yoghurt: milk, bread: flour, pasta: flour, wine: grapes, cider: apples,
chocolate: cocoa beans, tofu: soya beans, popcorn: maize, ketchup: tomatoes, hummus: chickpeas, guacamole: avocados,
marzipan: almonds, an omelette: eggs, a meringue: egg whites, paper: wood, glass: sand, flour: wheat, beer: barley,
porridge: oats, lemonade: lemons, honey: nectar, sauerkraut: cabbage, concrete: cement, silk: cocoons, linen: flax,
a raisin: a grape, a prune: a plum
"""

USE = """
kettle: boil water, pen: write, broom: sweep the floor, hammer: hit nails, saw: cut wood, key: open locks,
clock: tell the time, thermometer: measure temperature, ruler: measure length, telescope: look at stars,
microscope: see tiny things, umbrella: keep off the rain, oven: bake food, fridge: keep food cold,
toaster: toast bread, washing machine: wash clothes, iron: smooth clothes, lamp: give light, camera: take photos,
needle: sew, comb: tidy hair, toothbrush: clean teeth, towel: dry the body, pillow: rest the head, bed: sleep,
chair: sit on, ladder: climb up, spade: dig holes, rake: gather leaves, lawnmower: cut grass,
watering can: water plants, compass: find north, map: find the way, calculator: do sums, printer: print documents,
piano: play music, vacuum cleaner: clean carpets, corkscrew: open wine bottles, frying pan: fry food,
fishing rod: catch fish, torch: see in the dark, drill: make holes, screwdriver: turn screws, spanner: tighten bolts,
razor: shave, hairdryer: dry hair, mirror: see yourself, stethoscope: listen to the heart, parachute: fall safely,
helmet: protect the head, tent: sleep outdoors, sieve: sift flour, grater: grate cheese, rolling pin: roll out dough,
stapler: join sheets of paper, crane: lift heavy loads, anchor: hold a ship, eraser: remove pencil marks,
wallet: carry money, bell: call people
"""

PROFESSION = """
baker: bakes bread, teacher: teaches pupils, pilot: flies planes, farmer: grows crops, dentist: treats teeth,
doctor: treats patients, vet: treats animals, plumber: mends pipes, chef: cooks meals, barber: cuts hair,
tailor: makes clothes, carpenter: works with wood, postman: delivers letters, firefighter: puts out fires,
librarian: looks after books, author: writes books, photographer: takes photos, miner: digs for coal,
mechanic: repairs cars, butcher: sells meat, florist: sells flowers, fisherman: catches fish,
astronomer: studies stars, architect: designs buildings, electrician: installs wiring, bricklayer: lays bricks,
waiter: serves food, journalist: reports news, cobbler: mends shoes, gardener: looks after plants,
composer: writes music, translator: translates texts, jockey: rides horses, beekeeper: keeps bees, potter: makes pots,
blacksmith: forges iron, sculptor: makes statues, lumberjack: fells trees, conductor: leads an orchestra,
goalkeeper: guards the goal, detective: solves crimes, geologist: studies rocks, botanist: studies plants,
locksmith: fits locks, shepherd: looks after sheep, lifeguard: rescues swimmers, surgeon: performs operations,
roofer: repairs roofs, astronaut: travels in space, poet: writes poems, programmer: writes software,
jeweller: sells jewels, clown: makes people laugh
"""

PAST = """
go: went, see: saw, eat: ate, drink: drank, come: came, run: ran, give: gave, take: took, make: made, write: wrote,
speak: spoke, break: broke, choose: chose, drive: drove, ride: rode, rise: rose, sing: sang, swim: swam, begin: began,
ring: rang, fly: flew, grow: grew, know: knew, throw: threw, blow: blew, draw: drew, fall: fell, feel: felt,
keep: kept, sleep: slept, sweep: swept, leave: left, meet: met, lose: lost, buy: bought, bring: brought,
think: thought, teach: taught, catch: caught, fight: fought, find: found, stand: stood, understand: understood,
sell: sold, tell: told, hold: held, hear: heard, say: said, pay: paid, send: sent, spend: spent, build: built,
lend: lent, win: won, sit: sat, forget: forgot, get: got, forgive: forgave, hide: hid, bite: bit, steal: stole,
freeze: froze, wear: wore, tear: tore, shake: shook, become: became, have: had, do: did, walk: walked, play: played,
stop: stopped, try: tried, love: loved
"""

PLURAL = """
child: children, man: men, woman: women, foot: feet, tooth: teeth, goose: geese, mouse: mice, ox: oxen, person: people,
knife: knives, wife: wives, life: lives, leaf: leaves, wolf: wolves, half: halves, loaf: loaves, shelf: shelves,
thief: thieves, baby: babies, city: cities, story: stories, lady: ladies, country: countries, box: boxes, bus: buses,
church: churches, dish: dishes, glass: glasses, tomato: tomatoes, potato: potatoes, hero: heroes,
crisis: crises, cat: cats, book: books, boy: boys, key: keys, piano: pianos, photo: photos, roof: roofs
"""

ORGAN = """
the heart: pump blood, the lungs: take in oxygen, the stomach: digest food, the kidneys: clean the blood,
the eyes: see, the ears: hear, the nose: smell, the tongue: taste, the brain: control the body, the teeth: chew food,
the skeleton: support the body, the bladder: store urine, the muscles: move the body, the skull: protect the brain,
the ribs: protect the lungs, the pancreas: make insulin, the nerves: carry signals, the eyelids: protect the eyes,
the large intestine: absorb water, the white blood cells: fight germs, the red blood cells: carry oxygen,
the veins: carry blood to the heart, the windpipe: carry air
"""

SYMBOL = """
gold: Au, silver: Ag, iron: Fe, copper: Cu, lead: Pb, tin: Sn, zinc: Zn, hydrogen: H, oxygen: O, carbon: C,
nitrogen: N, helium: He, neon: Ne, sodium: Na, potassium: K, calcium: Ca, magnesium: Mg, aluminium: Al, silicon: Si,
phosphorus: P, sulphur: S, chlorine: Cl, fluorine: F, iodine: I, nickel: Ni, mercury: Hg, platinum: Pt, uranium: U,
lithium: Li, titanium: Ti, argon: Ar, chromium: Cr
"""

SCIENCE = """
boiling point of water: 100 degrees Celsius, freezing point of water: 0 degrees Celsius,
normal temperature of the human body: 37 degrees Celsius, chemical formula of water: H2O, frozen form of water: ice,
largest planet in the solar system: Jupiter, smallest planet in the solar system: Mercury,
planet closest to the Sun: Mercury, second planet from the Sun: Venus, third planet from the Sun: Earth,
fourth planet from the Sun: Mars, fifth planet from the Sun: Jupiter, sixth planet from the Sun: Saturn,
seventh planet from the Sun: Uranus, eighth planet from the Sun: Neptune, planet known as the red planet: Mars,
hottest planet in the solar system: Venus, star at the centre of the solar system: the Sun,
galaxy that we live in: the Milky Way, natural satellite of the Earth: the Moon, force that pulls things down: gravity,
gas that plants take in to make food: carbon dioxide, gas that people need to breathe: oxygen,
most common gas in the air: nitrogen, lightest element: hydrogen, hardest natural material: diamond,
liquid metal in old thermometers: mercury, green substance in leaves: chlorophyll,
way in which plants make their food: photosynthesis, largest ocean on Earth: the Pacific Ocean,
highest mountain on Earth: Mount Everest, largest continent on Earth: Asia, largest country in the world: Russia,
smallest country in the world: Vatican City, largest hot desert in the world: the Sahara,
largest animal in the world: the blue whale, fastest land animal: the cheetah, tallest animal: the giraffe,
largest bird in the world: the ostrich, largest land animal: the elephant,
longest bone in the human body: the thigh bone, largest organ of the human body: the skin, season after winter: spring,
season after spring: summer, season after summer: autumn, season after autumn: winter,
study of stars and planets: astronomy, study of plants: botany, study of animals: zoology, study of rocks: geology,
study of numbers: mathematics, study of the mind: psychology, unit of electric current: the ampere,
unit of force: the newton, unit of power: the watt
"""

AUTHOR = """
Hamlet: William Shakespeare, Macbeth: William Shakespeare, Romeo and Juliet: William Shakespeare,
Pride and Prejudice: Jane Austen, Emma: Jane Austen, Oliver Twist: Charles Dickens, A Christmas Carol: Charles Dickens,
Frankenstein: Mary Shelley, Dracula: Bram Stoker, Jane Eyre: Charlotte Bronte, Wuthering Heights: Emily Bronte,
The Hobbit: J. R. R. Tolkien, Treasure Island: Robert Louis Stevenson, The Jungle Book: Rudyard Kipling,
Animal Farm: George Orwell, War and Peace: Leo Tolstoy, Anna Karenina: Leo Tolstoy, Don Quixote: Miguel de Cervantes,
Moby Dick: Herman Melville, Tom Sawyer: Mark Twain, Peter Pan: J. M. Barrie, Robinson Crusoe: Daniel Defoe,
Gulliver's Travels: Jonathan Swift, Faust: Johann Wolfgang von Goethe, The Little Prince: Antoine de Saint-Exupery,
Pippi Longstocking: Astrid Lindgren, Matilda: Roald Dahl, The Time Machine: H. G. Wells,
Brave New World: Aldous Huxley, Little Women: Louisa May Alcott
"""

GROUP = """
wolves: pack, lions: pride, sheep: flock, cows: herd, elephants: herd, fish: school, bees: swarm, ants: colony,
geese: gaggle, whales: pod, dolphins: pod, puppies: litter, kittens: litter, crows: murder, owls: parliament,
sailors: crew, singers: choir, flowers: bunch, grapes: bunch, stairs: flight, ships: fleet, football players: team,
mountains: range, islands: archipelago, stars: constellation, trees: forest, musicians: band, monkeys: troop
"""

DAYS = "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"
MONTHS = "January, February, March, April, May, June, July, August, September, October, November, December"
ORDINALS = "first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh, twelfth"

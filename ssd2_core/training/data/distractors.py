"""Neutral sentences between the facts.

{n} number, {d} day, {t} time, {c} colour, {w} and {x} person, {p} place, {f} food, {m} month, {a} animal.
"""

DISTRACTORS = tuple("""
It rained most of {d}.
The weather was mild for {m}.
A cold wind blew from the north.
There was fog over the river until {t}.
The sun came out after lunch.
It may snow on {d}.
The summer was the hottest in {n} years.
Thunder woke everyone around {t}.
The forecast speaks of sunshine on {d}.
The first frost came in {m}.
The sky over {p} was clear all week.
The puddles froze overnight.
A storm took down two trees near {p}.
The rain stopped just in time.
The garden needs water badly.
The road to {p} is being repaired.
The train from {p} was late again.
There was a long queue at the station.
The ferry was full on {d}.
A trip to {p} takes about {n} minutes.
The bridge near {p} is closed for now.
Tickets to {p} were sold out.
The airport was crowded on {d}.
The taxi took a strange route.
Someone left a {c} umbrella on the tram.
The map was of little help.
The way through the forest was muddy.
There are {n} steps up to the old tower.
The museum in {p} was well worth a visit.
A guide from {p} told funny stories.
The view over {p} was lovely.
The suitcase with the {c} strap got lost.
The road was empty at {t}.
The petrol station was out of coffee.
The bus driver whistled all the way.
The journey home felt long.
It was a slow week.
It has been a good year so far.
Some things take time.
Nobody likes waiting.
A short walk helps a lot.
The mood was good all evening.
It felt strange at first.
Everyone was tired by {t}.
Everyone laughed at the joke about the {a}.
The news came as a surprise.
Patience is not always easy.
There is plenty to look forward to in {m}.
A quiet evening would be nice.
The music was far too loud.
It all worked out in the end.
The smell of {f} filled the air.
The last few days were busy.
There was no time for {f}.
The argument was soon forgotten.
A good night's sleep works wonders.
The kettle needs to be descaled.
The washing machine makes odd noises.
The {c} towels are in the wash.
The lamp in the hall flickers.
The fridge was almost empty.
There were {n} letters in the mailbox.
The kitchen smells of fresh paint.
Someone forgot to close the window.
The floor was swept on {d}.
The {c} chair has a loose leg.
The stairs creak at night.
The light bulbs were changed in {m}.
A {c} vase stands on the windowsill.
The carpet has a small stain.
The curtains need washing.
There is leftover {f} on the table.
The dishes can wait until {d}.
The heating was turned off in {m}.
A jar of pickles fell on the floor.
The roof was checked in {m}.
The printer ran out of paper.
The {c} folder lies on the shelf.
The lift was out of order on {d}.
The meeting on {d} was rather long.
There were {n} new messages before {t}.
The copy machine jammed again.
The coffee machine was repaired on {d}.
The plants in the hall are doing well.
The new chairs arrived on {d}.
There was cake in the afternoon.
The phone rang {n} times.
The report had {n} pages.
A parcel came around {t}.
The lights went out for {n} minutes.
{w} sent a postcard from {p}.
{w} told a long story about a {a}.
{w} brought some {f} to the party.
{w} said hello on {d}.
{w} lost a {c} glove.
{w} came by at {t} and left again.
{w} was in {p} for the weekend.
{w} painted a fence {c}.
{w} asked for a recipe.
{w} took {n} pictures of a {a}.
{w} borrowed an umbrella and never brought it back.
{w} fell asleep during the film.
{w} won {n} euros in a raffle.
{w} and {x} met by chance in {p}.
{w} and {x} talked until {t}.
A letter from {w} arrived on {d}.
There was a call from {w} at {t}.
Greetings also came from {w}.
A photo shows {w} next to a {a}.
The market sells {f} on {d}.
The shop in {p} was closed.
The bakery ran out of bread by {t}.
The price of tomatoes went up in {m}.
The {f} was a little too salty.
There were {n} people in line.
The café near {p} has a {c} door.
A new shop opened in {m}.
The apples were sour this year.
The {f} at the fair tasted great.
The picnic was moved to {d}.
A {a} ran across the road.
Somebody saw a {a} near {p}.
The film about the {a} was too long.
A documentary about {p} was on at {t}.
The children drew a {c} {a}.
The fireworks started at {t}.
The match ended with a draw.
The choir sang {n} songs.
The book had {n} chapters.
The concert on {d} was a success.
The band from {p} played two encores.
The lake was calm on {d}.
The leaves turn {c} in {m}.
The radio played the same song all day.
The bells rang at {t}.
""".strip().splitlines())

"""Relations of people, and the nouns of the families. ``relations.py`` explains the format."""

PET_NOUNS = ("dog", "cat", "horse", "rabbit", "parrot", "hamster", "tortoise", "pony", "canary")

RELATIVES = (
    ("sister", "P", "female_name"), ("brother", "P", "male_name"), ("wife", "P", "female_name"), ("husband", "P",
                                                                                                  "male_name"),
    ("neighbour", "PH", "formal_person"), ("boss", "PK", "formal_person"), ("teacher", "P", "formal_person"),
    ("best friend", "PK", "person"), ("cousin", "P", "person"), ("aunt", "P", "female_name"), ("uncle", "P",
                                                                                               "male_name"),
    ("grandmother", "P", "female_name"), ("dentist", "PKH", "formal_person"), ("doctor", "PKH", "formal_person"),
    ("landlord", "PKH", "formal_person"), ("daughter", "PKH", "female_name"), ("son", "PKH", "male_name"),
    ("mother", "P", "female_name"), ("father", "P", "male_name"), ("nephew", "P", "male_name"),
)

FAVOURITE_MAKERS = (("colour", "colour"), ("food", "food"), ("film", "title"), ("drink", "drink"), ("sport", "sport"),
                    ("song", "title"), ("book", "title"), ("animal", "the_animal"))

NUMBER_MAKERS = (("phone extension", "PK", "digits"), ("wifi password", "PHL", "password"), ("locker code", "PK",
                                                                                             "code"),
                 ("password hint", "PK", "hint"), ("booking code", "PKH", "code"), ("locker number", "PK", "digits"))

PEOPLE_TABLE = """
@ home_city | PKH | city | home city/city/lives in | It is {v}.
+ {S} [live|lives] in {v}.
+ {S} [have|has] lived in {v} for years.
+ {v} is where {S} [live|lives].
+ {P} home is in {v}.
+ {S} moved house and now [live|lives] in {v}.
+ {v} has been {P} home for a long time.
+ The city {S} [live|lives] in is {v}.
= {S} [have|has] settled down in {v}.
= {S} [reside|resides] in {v} these days.
? Where [do|does] {S} live?
? Which city [do|does] {S} live in?
? In which city [do|does] {S} live?
? What is {P} home city?
? Where is {P} home?
? What city [do|does] {S} live in?
! Where [have|has] {S} settled down?
! What place [do|does] {S} call home?
~ where {S} [live|lives]
~ which city {S} [live|lives] in
@ birth_city | PK | city | birthplace/born in | It is {v}.
+ {S} [was|was|were] born in {v}.
+ {P} birthplace is {v}.
+ {v} is the place where {S} [was|was|were] born.
+ {S} came into the world in {v}, on a rainy night.
+ {P} city of birth is {v}.
= {v} is where {P} life began.
= It was in {v} that {P} mother gave birth to {O}.
? Where [was|was|were] {S} born?
? In which city [was|was|were] {S} born?
? What is {P} birthplace?
? What is {P} city of birth?
? Which city [was|was|were] {S} born in?
! Where did {P} life begin?
! In what place did {S} come into the world?
~ where {S} [was|was|were] born
@ street | PKH | street | address/street | It is {v}.
+ {P} address is {v}.
+ {S} [live|lives] at {v}.
+ {P} flat is at {v}.
+ {v} is {P} address.
+ {P} house, the one with the red door, is at {v}.
+ You will find {P} house at {v}.
= Letters for {O} go to {v}.
= {P} front door is at {v}.
? What is {P} address?
? What address [do|does] {S} live at?
? Which street is {P} house in?
? At which address [do|does] {S} live?
? What is {P} street address?
? Where exactly is {P} house?
! Where should letters for {O} go?
! Where would a parcel for {O} be sent?
~ what {P} address is
@ job | PK | job | job/profession | It is {a} {v}.
+ {S} [work|works] as {a} {v}.
+ {S} [am|is|are] {a} {v}.
+ {P} job is {v}.
+ By profession, {S} [am|is|are] {a} {v}.
+ {S} trained as {a} {v} and [work|works] as one today.
+ {S} [earn|earns] {p} living as {a} {v}.
+ Being {a} {v} is {P} job.
= {S} [have|has] made a career as {a} {v}.
= Most days {S} can be found at work as {a} {v}.
? What is {P} job?
? What [do|does] {S} do for a living?
? What [do|does] {S} work as?
? What is {P} profession?
? Which job [do|does] {S} have?
? What kind of work [do|does] {S} do?
! How [do|does] {S} earn {p} living?
! What career did {S} choose?
~ what {P} job is
~ what {S} [do|does] for a living
@ employer | PK | company | employer/works for | It is {v}.
+ {S} [work|works] for {v}.
+ {S} [have|has] a job at {v}.
+ {P} employer is {v}.
+ {v} is the company {S} [work|works] for.
+ {v} hired {O} last spring.
+ The company that employs {O} is {v}.
= {S} [am|is|are] on the staff of {v}.
= {P} salary is paid by {v}.
? Who [do|does] {S} work for?
? Which company [do|does] {S} work for?
? What is {P} employer called?
? Where [do|does] {S} work?
? Who is {P} employer?
? At which company [do|does] {S} work?
! Who pays {P} salary?
! On whose staff [am|is|are] {S}?
~ who {S} [work|works] for
@ bus | PKH | bus | bus/bus number | It is {v}.
+ {P} bus is number {v}.
+ {S} [take|takes] bus {v} every morning.
+ Bus {v} is the one {S} [take|takes].
+ The bus {S} [take|takes] is number {v}.
+ To get home, {S} [take|takes] bus {v}.
+ {S} usually [catch|catches] the number {v} bus.
= {S} [ride|rides] into town on line {v}.
= The line that stops near {P} house is {v}.
? Which bus [do|does] {S} take?
? What is {P} bus number?
? What number is {P} bus?
? Which bus number [do|does] {S} use?
? What bus [do|does] {S} catch?
! Which line [do|does] {S} ride?
! On which bus line [do|does] {S} travel?
~ which bus {S} [take|takes]
@ train_time | PKH | time | train/train time | It is {v}.
+ {P} train leaves at {v}.
+ {S} [take|takes] the train at {v}.
+ The train {S} [need|needs] to catch leaves at {v}.
+ At {v} {P} train leaves.
+ {P} train goes at {v}, from the far platform.
+ {P} train is at {v}.
= {P} train pulls out of the station at {v}.
= {S} must be on the platform by {v} for {p} train.
? When does {P} train leave?
? What time does {P} train leave?
? At what time is {P} train?
? When is {P} train?
? What time is {P} train?
! When does {P} train pull out?
! By what time must {S} be on the train?
~ when {P} train leaves
~ what time {P} train leaves
@ appointment_time | PK | time | doctor's appointment time/time at the doctor | It is {v}.
+ {P} doctor's appointment is at {v}.
+ {S} [have|has] to be at the doctor's at {v}.
+ The doctor will see {O} at {v}.
+ At {v} {S} [have|has] a doctor's appointment.
+ The time of {P} doctor's appointment is {v}.
= {S} [am|is|are] booked in with the doctor at {v}.
= The clinic expects {O} at {v}.
? When is {P} doctor's appointment?
? What time is {P} doctor's appointment?
? At what time is {P} doctor's appointment?
? At what time will the doctor see {O}?
? What time [do|does] {S} have to be at the doctor's?
! At what hour does the clinic expect {O}?
! For what time [am|is|are] {S} booked in with the doctor?
~ what time {P} doctor's appointment is
@ appointment_day | PK | day | dentist visit/dentist day | It is {v}.
+ {P} dentist visit is on {v}.
+ {S} [see|sees] the dentist on {v}.
+ On {v} {S} [have|has] to go to the dentist.
+ The dentist will see {O} on {v}.
+ {P} dentist visit was moved to {v}.
= {P} teeth will be checked on {v}.
= {S} [am|is|are] booked in with the dentist for {v}.
? When is {P} dentist visit?
? On which day is {P} dentist visit?
? What day [do|does] {S} see the dentist?
? Which day is {P} dentist visit?
? When [do|does] {S} see the dentist?
! When will {P} teeth be checked?
! For which day [am|is|are] {S} booked in with the dentist?
~ when {P} dentist visit is
~ what day {P} dentist visit is
@ allergy | PK | allergen | allergy/allergic to | It is {v}.
+ {S} [am|is|are] allergic to {v}.
+ {S} [have|has] an allergy to {v}.
+ {P} allergy is to {v}.
+ Because of an allergy, {S} must avoid {v}.
+ {S} [get|gets] a rash from {v}, so be careful.
= {P} body cannot cope with {v}.
= Please keep {v} away from {O} for medical reasons.
? What [am|is|are] {S} allergic to?
? What is {P} allergy?
? Which allergy [do|does] {S} have?
? What must {S} avoid because of an allergy?
? What kind of allergy [do|does] {S} have?
! What gives {O} an allergic reaction?
! What should be kept away from {O} for medical reasons?
~ what {S} [am|is|are] allergic to
@ age | PK | age | age/years old | It is {v}.
+ {S} [am|is|are] {v} years old.
+ {P} age is {v}.
+ {S} turned {v} this year.
+ At the age of {v}, {S} still [climb|climbs] trees.
+ {v} is {P} age.
+ {S} [am|is|are] {v} now.
= {S} just celebrated birthday number {v}.
= The candles on {P} cake this year numbered {v}.
? How old [am|is|are] {S}?
? What is {P} age?
? What age [am|is|are] {S}?
? How old [am|is|are] {S} now?
? How many years old [am|is|are] {S}?
! How many years [have|has] {S} lived?
! How many candles were on {P} cake?
~ how old {S} [am|is|are]
@ shoe_size | PK | shoe | shoe size/shoes | It is {v}.
+ {P} shoe size is {v}.
+ {S} [wear|wears] shoes in size {v}.
+ {S} [take|takes] size {v} in shoes.
+ Size {v} shoes fit {O} best.
+ For shoes, {S} [need|needs] size {v}.
= {P} feet fit into a {v}.
= In a shoe shop {S} [ask|asks] for a {v}.
? What is {P} shoe size?
? Which shoe size [do|does] {S} have?
? What size shoes [do|does] {S} wear?
? What size are {P} shoes?
? Which size of shoe [do|does] {S} need?
! How big are {P} feet in shoe sizes?
! What number would {S} ask for in a shoe shop?
~ what {P} shoe size is
@ car_colour | PKH | colour | car colour/colour of the car | It is {v}.
+ {P} car is {v}.
+ The colour of {P} car is {v}.
+ {S} [drive|drives] a car painted {v}.
+ {P} car, which is never clean, is {v}.
+ The paint on {P} car is {v}.
= {S} had {p} car sprayed {v}.
= Look for {P} car by its {v} paint.
? What colour is {P} car?
? Which colour is {P} car?
? What is the colour of {P} car?
? What colour does {P} car have?
? What colour of car [do|does] {S} drive?
! How is {P} car painted?
! By what paint can one spot {P} car?
~ what colour {P} car is
@ car_brand | PKH | brand | car brand/make of car | It is {v}.
+ {P} car is made by {v}.
+ {S} [drive|drives] a car made by {v}.
+ {v} is the maker of {P} car.
+ The brand of {P} car is {v}.
+ {P} car, which is quite old, was made by {v}.
+ {v} built the car {S} [drive|drives].
= The badge on {P} car says {v}.
= When buying a car, {S} picked one from {v}.
? Which brand is {P} car?
? What make is {P} car?
? Who made {P} car?
? What brand of car [do|does] {S} drive?
? What is the brand of {P} car?
! Which company built {P} car?
! Which badge does {P} car carry?
~ what brand {P} car is
@ birthday | PK | date | birthday/born on | It is {v}.
+ {P} birthday is on {v}.
+ {S} [celebrate|celebrates] {p} birthday on {v}.
+ {v} is {P} birthday.
+ {S} [was|was|were] born on {v}.
+ On {v} {S} [have|has] {p} birthday.
= Every year {S} [blow|blows] out candles on {v}.
= The day to bring {O} a cake is {v}.
? When is {P} birthday?
? What is {P} birthday?
? On which date is {P} birthday?
? Which day is {P} birthday?
? What date is {P} birthday?
! On which day [do|does] {S} blow out the candles?
! When is the day to bring {O} a cake?
~ when {P} birthday is
@ flight | PKH | flight | flight/flight number | It is {v}.
+ {P} flight number is {v}.
+ {S} [am|is|are] on flight {v}.
+ {S} [fly|flies] with flight {v}.
+ {v} is {P} flight.
+ The flight {S} booked is {v}.
+ {P} flight is {v}, with a window seat.
= {P} boarding pass is for {v}.
= {S} will get on the plane marked {v}.
? What is {P} flight number?
? Which flight [am|is|are] {S} on?
? What flight did {S} book?
? What number is {P} flight?
? Which flight number [do|does] {S} have?
! Which plane is {P} boarding pass for?
! What is printed on {P} boarding pass as the flight?
~ what {P} flight number is
@ hotel | PKH | hotel | hotel/staying at | It is {v}.
+ {P} hotel is called {v}.
+ {S} [stay|stays] at {v}.
+ The hotel {S} booked is {v}.
+ {v} is the hotel where {S} [am|is|are] staying.
+ {P} hotel is {v}, close to the beach.
+ {S} [have|has] a room at {v}.
= For the night {S} checked in at {v}.
= {P} suitcases were sent to {v}.
? What is {P} hotel called?
? Which hotel [do|does] {S} stay at?
? At which hotel [am|is|are] {S} staying?
? What is the name of {P} hotel?
? Which hotel did {S} book?
! Where did {S} check in for the night?
! Where [am|is|are] {S} spending the night?
~ what {P} hotel is called
@ hobby | PK | hobby | hobby/free time | It is {v}.
+ {P} hobby is {v}.
+ In {p} free time, {S} [enjoy|enjoys] {v}.
+ {S} [spend|spends] {p} weekends on {v}.
+ The hobby {S} picked up is {v}.
+ For fun, {S} [do|does] some {v}.
= {P} spare hours all go into {v}.
= After work {S} [relax|relaxes] with {v}.
? What is {P} hobby?
? Which hobby [do|does] {S} have?
? What [do|does] {S} enjoy in {p} free time?
? What [do|does] {S} do for fun?
? What hobby [do|does] {S} have?
! What fills {P} spare hours?
! How [do|does] {S} relax after work?
~ what {P} hobby is
@ instrument | PK | instrument | instrument/plays | It is {v}.
+ {S} [play|plays] the {v}.
+ {P} instrument is the {v}.
+ {S} learned to play the {v} as a child.
+ The instrument {S} [play|plays] is the {v}.
+ In the band, {S} [play|plays] the {v}.
= {S} [practise|practises] the {v} every evening.
= {S} never [miss|misses] a lesson on the {v}.
? Which instrument [do|does] {S} play?
? What instrument [do|does] {S} play?
? What is {P} instrument?
? Which musical instrument [do|does] {S} play?
? What [do|does] {S} play in the band?
! On what [do|does] {S} make music?
! What [do|does] {S} practise in music lessons?
~ which instrument {S} [play|plays]
@ language | PK | language | foreign language/second language | It is {v}.
+ {P} second language is {v}.
+ Besides {p} mother tongue, {S} [speak|speaks] {v}.
+ {S} [speak|speaks] {v} as a second language.
+ {v} is {P} second language.
+ {S} learned {v} as a second language.
= The foreign tongue {S} [know|knows] is {v}.
= Abroad, {S} [get|gets] by with {v}.
? What is {P} second language?
? Which second language [do|does] {S} speak?
? What second language [do|does] {S} speak?
? What foreign language [do|does] {S} speak?
? Which foreign language [do|does] {S} know?
! In which tongue [do|does] {S} get by abroad?
! What [do|does] {S} speak besides {p} mother tongue?
~ what {P} second language is
@ school | PK | school | school/goes to school at | It is {v}.
+ {P} school is called {v}.
+ {S} [go|goes] to {v}.
+ {S} [study|studies] at {v}.
+ {v} is the school {S} [go|goes] to.
+ The school {S} [attend|attends] is {v}.
+ {P} school, which is near the park, is {v}.
= {P} name is on the class list of {v}.
= {S} [have|has] all {p} lessons at {v}.
? Which school [do|does] {S} go to?
? What is {P} school called?
? What school [do|does] {S} attend?
? Where [do|does] {S} go to school?
? What is the name of {P} school?
! Where [do|does] {S} have {p} lessons?
! On which school's class list [am|is|are] {S}?
~ which school {S} [go|goes] to
@ nickname | PK | name_like | nickname/called by friends | It is {v}.
+ {P} nickname is {v}.
+ Friends call {O} {v}.
+ {S} [have|has] the nickname {v}.
+ {v} is {P} nickname.
+ Everybody calls {O} {v} as a nickname.
= {S} [go|goes] by {v} among friends.
= To {p} old friends {S} [am|is|are] just {v}.
? What is {P} nickname?
? What do friends call {O}?
? Which nickname [do|does] {S} have?
? What nickname [do|does] {S} have?
? What is the nickname of {O}?
! What [do|does] {S} go by among friends?
! How do old friends address {O}?
~ what {P} nickname is
@ own_name | F | full_name | name/full name | It is {v}.
+ {P} name is {v}.
+ {P} full name is {v}.
+ {S} [am|is|are] called {v}.
+ {S} [am|is|are] {v}.
+ {v} is {P} name.
= People know {O} as {v}.
= {P} passport says {v}.
? What is {P} name?
? Who [am|is|are] {S}?
? What [am|is|are] {S} called?
? Which name [do|does] {S} have?
? What is {P} full name?
! As whom do people know {O}?
! What name stands in {P} passport?
~ what {P} name is
~ who {S} [am|is|are]
@ holiday | PKH | city | holiday/holiday place | It is {v}.
+ {P} next holiday is in {v}.
+ {S} will go on holiday to {v}.
+ For the holidays, {S} [travel|travels] to {v}.
+ {v} is where {S} will spend {p} next holiday.
+ This summer {S} will go on holiday in {v}.
= {P} suitcase is packed for a holiday in {v}.
= {S} booked two weeks off to see {v}.
? Where is {P} next holiday?
? Where will {S} go on holiday?
? Where will {S} spend {p} next holiday?
? Which place will {S} visit on holiday?
? To which place will {S} travel for the holidays?
! What is the destination of {P} next holiday?
! Which place [have|has] {S} packed for?
~ where {P} next holiday is
@ seat | PK | code | seat/seat in the theatre | It is {v}.
+ {P} seat is {v}.
+ {S} [sit|sits] in seat {v}.
+ {v} is {P} seat.
+ The seat {S} booked is {v}.
+ Seat {v} is kept for {O}.
= The usher will lead {O} to {v}.
= The ticket puts {O} in {v}.
? What is {P} seat?
? Which seat [do|does] {S} have?
? Where [do|does] {S} sit?
? Which seat is kept for {O}?
? What seat did {S} book?
! Where will the usher lead {O}?
! In which place does the ticket put {O}?
~ what {P} seat is
"""

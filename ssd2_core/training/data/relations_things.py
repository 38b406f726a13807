"""Relations of teams, products, events, recipes, places and projects. ``relations.py`` explains the format."""

THINGS_TABLE = """
@ captain | T | person | captain/led by | It is {v}.
+ The captain of {S} is {v}.
+ {P} captain is {v}.
+ {v} is the captain of {S}.
+ {v} leads {O} as captain.
+ {S} [have|has] a new captain, {v}.
+ The players of {S} chose {v} as captain.
= The armband of {S} is worn by {v}.
= On the field, {S} [follow|follows] {v}.
? Who is the captain of {S}?
? Who is {P} captain?
? What is {P} captain called?
? Which captain [do|does] {S} have?
? Who leads {O} as captain?
! Who wears the armband of {S}?
! Whom [do|does] {S} follow on the field?
~ who the captain of {S} is
@ coach | T | formal_person | coach/trainer | It is {v}.
+ The coach of {S} is {v}.
+ {P} coach is {v}.
+ {v} is the coach of {S}.
+ {v} coaches {O}, and very strictly.
+ {S} [am|is|are] coached by {v}.
= {S} [train|trains] under {v}.
= {v} runs the training sessions of {S}.
? Who is the coach of {S}?
? Who coaches {O}?
? Who is {P} coach?
? What is {P} coach called?
? By whom [am|is|are] {S} coached?
! Under whom [do|does] {S} train?
! Who runs the training sessions of {S}?
~ who the coach of {S} is
~ who coaches {O}
@ meeting_room | TJ | room | meeting room/room | It is {v}.
+ The meeting room of {S} is {v}.
+ {S} [meet|meets] in {v}.
+ {v} is the meeting room of {S}.
+ {P} meetings are in {v}.
+ Meetings of {S} take place in {v}, with the door open.
= {S} [gather|gathers] in {v}.
= {v} is booked for all talks of {S}.
? What is the meeting room of {S}?
? Where [do|does] {S} meet?
? In which room [do|does] {S} meet?
? Which meeting room [do|does] {S} use?
? Where are {P} meetings?
! Where [do|does] {S} gather?
! Which room is booked for the talks of {S}?
~ which room {S} [meet|meets] in
@ deadline | TJ | date | deadline/due date | It is {v}.
+ The deadline of {S} is {v}.
+ {S} must be ready by {v}.
+ {P} deadline is {v}.
+ {v} is the deadline of {S}.
+ All work of {S} is due on {v}.
+ The deadline for {S} was moved to {v}.
= Everything for {S} has to be handed in by {v}.
= No work on {S} will be accepted after {v}.
? What is the deadline of {S}?
? When is {P} deadline?
? When is the deadline for {S}?
? By when must {S} be ready?
? Which deadline [do|does] {S} have?
! By what date must everything for {S} be handed in?
! After which day is no work on {S} accepted?
~ what the deadline of {S} is
@ home_ground | T | name_like | home ground/stadium | It is {v}.
+ The home ground of {S} is {v}.
+ {S} [play|plays] at home in {v}.
+ {P} home ground is {v}.
+ {v} is the home ground of {S}.
+ The stadium of {S} is called {v}.
= Fans watch {S} at {v}.
= The home matches of {S} are held in {v}.
? What is the home ground of {S}?
? Where [do|does] {S} play at home?
? What is {P} home ground?
? What is the stadium of {S} called?
? Which home ground [do|does] {S} have?
! Where do fans watch {S}?
! Where are the home matches of {S} held?
~ what the home ground of {S} is
@ price | D | price | price/costs | It is {v}.
+ The price of {S} is {v}.
+ {S} [cost|costs] {v}.
+ {P} price is {v}.
+ {v} is the price of {S}.
+ You can buy {S} for {v}.
+ {S} [cost|costs] {v}, with a box.
= {S} [sell|sells] for {v}.
= Customers pay {v} for {S}.
? What is the price of {S}?
? How much [do|does] {S} cost?
? What [do|does] {S} cost?
? What is {P} price?
? Which price [do|does] {S} have?
! For how much [do|does] {S} sell?
! How much do customers pay for {S}?
~ how much {S} [cost|costs]
@ product_colour | D | colour | colour/finish | It is {v}.
+ The colour of {S} is {v}.
+ {S} [am|is|are] {v}.
+ {S} [come|comes] in {v}.
+ {P} colour is {v}.
+ {S} [am|is|are] sold in {v} only.
= {S} [have|has] a {v} finish.
= {S} [leave|leaves] the factory painted {v}.
? What colour [am|is|are] {S}?
? What is the colour of {S}?
? Which colour [do|does] {S} have?
? What is {P} colour?
? In which colour [do|does] {S} come?
! What finish [do|does] {S} have?
! How [am|is|are] {S} painted?
~ what colour {S} [am|is|are]
@ weight | D | weight | weight/weighs | It is {v}.
+ The weight of {S} is {v}.
+ {S} [weigh|weighs] {v}.
+ {P} weight is {v}.
+ {v} is the weight of {S}.
+ {S} [weigh|weighs] {v} without the box.
= {S} [bring|brings] {v} to the scales.
= On the scales, {S} [show|shows] {v}.
? What is the weight of {S}?
? How much [do|does] {S} weigh?
? What [do|does] {S} weigh?
? What is {P} weight?
? How heavy [am|is|are] {S}?
! What do the scales show for {S}?
! How much [do|does] {S} bring to the scales?
~ how much {S} [weigh|weighs]
@ warranty | D | span | warranty/guarantee | It is {v}.
+ The warranty of {S} lasts {v}.
+ {S} [have|has] a warranty of {v}.
+ {P} warranty lasts {v}.
+ {v} is how long the warranty of {S} lasts.
+ The warranty for {S} is {v}.
= The maker repairs {S} for free for {v}.
= {S} [am|is|are] covered for {v}.
? How long is the warranty of {S}?
? How long does the warranty of {S} last?
? What warranty [do|does] {S} have?
? What is {P} warranty?
? How many years or months of warranty [do|does] {S} have?
! For how long [am|is|are] {S} covered?
! How long does the maker repair {S} for free?
~ how long the warranty of {S} lasts
@ maker | D | company | maker/made by | It is {v}.
+ The maker of {S} is {v}.
+ {S} [am|is|are] made by {v}.
+ {P} maker is {v}.
+ {v} makes {O}.
+ {v} is the maker of {S}.
+ A firm called {v} makes {O}.
= {S} [come|comes] from the workshops of {v}.
= {S} [am|is|are] built by {v}.
? Who makes {O}?
? Who is the maker of {S}?
? Which company makes {O}?
? What is {P} maker called?
? By whom [am|is|are] {S} made?
! From whose workshops [do|does] {S} come?
! Who builds {O}?
~ who makes {O}
@ product_material | D | material | material/made of | It is {v}.
+ The material of {S} is {v}.
+ {S} [am|is|are] made of {v}.
+ {P} material is {v}.
+ The designers chose {v} as the material of {S}.
+ {S} [am|is|are] made from solid {v}.
= {S} [consist|consists] of {v}.
= Workers shape {S} out of {v}.
? What [am|is|are] {S} made of?
? What is the material of {S}?
? Which material [am|is|are] {S} made of?
? What is {P} material?
? Of which material [am|is|are] {S} made?
! What [do|does] {S} consist of?
! Out of what do workers shape {S}?
~ what {S} [am|is|are] made of
@ event_date | E | date | date/on | It is {v}.
+ The date of {S} is {v}.
+ {S} will take place on {v}.
+ {S} [am|is|are] on {v}.
+ {v} is the date of {S}.
+ On {v} everyone will meet for {S}.
+ {P} date is {v}.
= {S} will be celebrated on {v}.
= Mark {v} in the calendar for {S}.
? When [am|is|are] {S}?
? What is the date of {S}?
? On which date [am|is|are] {S}?
? Which day [am|is|are] {S}?
? When will {S} take place?
! When will {S} be celebrated?
! Which date should be marked in the calendar for {S}?
~ when {S} [am|is|are]
@ event_place | E | name_like | place/venue | It is {v}.
+ The place of {S} is {v}.
+ {S} will take place at {v}.
+ {P} place is {v}.
+ {v} is the place of {S}.
+ {S} will be at {v}, rain or shine.
+ The place for {S} is {v}.
= {S} will be hosted by the hall called {v}.
= Guests of {S} should come to {v}.
? Where [am|is|are] {S}?
? Where will {S} take place?
? What is the place of {S}?
? At which place [am|is|are] {S}?
? Which place [am|is|are] {S} at?
! Where should guests of {S} go?
! In which hall will {S} be held?
~ where {S} will take place
@ host | E | formal_person | host/hosted by | It is {v}.
+ The host of {S} is {v}.
+ {v} is the host of {S}.
+ {S} will be hosted by {v}.
+ {P} host is {v}.
+ {v} will host {O}.
= {v} will welcome the guests of {S}.
= Guests of {S} will be received by {v}.
? Who is the host of {S}?
? Who hosts {O}?
? Who will host {O}?
? Who is {P} host?
? By whom will {S} be hosted?
! Who will welcome the guests of {S}?
! Who receives the guests of {S}?
~ who hosts {O}
@ start_time | E | time | start/starts at | It is {v}.
+ The start of {S} is at {v}.
+ {S} will start at {v}.
+ {S} [begin|begins] at {v}.
+ At {v} the doors open and {S} [start|starts].
+ {S} [start|starts] at {v}, so be early.
+ The start time of {S} is {v}.
= {S} will kick off at {v}.
= The first minute of {S} is at {v}.
? When [do|does] {S} start?
? What time [do|does] {S} start?
? At what time [do|does] {S} begin?
? When is the start of {S}?
? What is the start time of {S}?
! When [do|does] {S} kick off?
! At what hour will {S} get going?
~ when {S} [start|starts]
~ what time {S} [start|starts]
@ ticket_price | E | price | tickets/ticket price | It is {v}.
+ A ticket for {S} costs {v}.
+ Tickets for {S} cost {v}.
+ {v} is the price of a ticket for {S}.
+ The ticket price for {S} is {v}.
+ {P} tickets cost {v}, even at the door.
= To get into {S}, you pay {v}.
= Entry to {S} is {v} per head.
? How much is a ticket for {S}?
? What does a ticket for {S} cost?
? What is the ticket price for {S}?
? How much do tickets for {S} cost?
? What do tickets for {S} cost?
! How much does one pay to get into {S}?
! What is the cost per head for {S}?
~ how much a ticket for {S} costs
@ oven_temperature | R | degrees | oven/oven temperature | It is {v}.
+ The oven temperature for {S} is {v}.
+ {S} [bake|bakes] at {v}.
+ Bake {O} at {v}.
+ For {O}, heat the oven to {v}.
+ {v} is the right oven temperature for {S}.
+ Set the oven to {v} for {O}.
= {S} [go|goes] into the oven once it has reached {v}.
= The dial for {S} should point to {v}.
? What is the oven temperature for {S}?
? At what temperature [do|does] {S} bake?
? How hot should the oven be for {S}?
? What oven temperature [do|does] {S} need?
? Which oven temperature is right for {S}?
! To what heat should the oven be set for {S}?
! How many degrees [do|does] {S} need in the oven?
~ what the oven temperature for {S} is
@ cooking_minutes | R | minutes | cooking time/time | It is {v}.
+ The cooking time of {S} is {v}.
+ {S} [need|needs] {v} to cook.
+ Cook {O} for {v}.
+ {P} cooking time is {v}.
+ After {v} of cooking, {S} [am|is|are] done.
+ {S} must cook for {v}.
= Take {S} off the heat after {v}.
= {S} should stay on the heat for {v}.
? What is the cooking time of {S}?
? How long must {S} cook?
? How many minutes [do|does] {S} need to cook?
? How long [do|does] {S} take to cook?
? What is {P} cooking time?
! After how long should one take {S} off the heat?
! For how long should {S} stay on the heat?
~ how long {S} must cook
@ main_ingredient | R | ingredient | main ingredient/made from | It is {v}.
+ The main ingredient of {S} is {v}.
+ {S} [am|is|are] mostly {v}.
+ {P} main ingredient is {v}.
+ The most important thing in {S} is {v}.
+ Use plenty of {v} as the main ingredient of {S}.
= {S} [get|gets] most of its taste from {v}.
= {S} would be nothing without {v}.
? What is the main ingredient of {S}?
? Which main ingredient [do|does] {S} have?
? What is {P} main ingredient?
? What [am|is|are] {S} mostly made of?
? What is the most important thing in {S}?
! What gives {S} most of its taste?
! Without what would {S} be nothing?
~ what the main ingredient of {S} is
@ eggs | R | small | eggs/number of eggs | It is {v}.
+ The number of eggs in {S} is {v}.
+ {S} [need|needs] {v} eggs.
+ Use {v} eggs for {S}.
+ There are {v} eggs in {S}.
+ You need {v} eggs to make {S}.
+ {S} [take|takes] {v} eggs, well beaten.
= Crack {v} eggs into the bowl for {S}.
= The cook beats {v} eggs for {S}.
? How many eggs are in {S}?
? How many eggs [do|does] {S} need?
? What is the number of eggs in {S}?
? How many eggs do I need for {S}?
? How many eggs go into {S}?
! How many eggs should be cracked for {S}?
! How many eggs does the cook beat for {S}?
~ how many eggs {S} [need|needs]
@ servings | R | small | serves/portions | It is {v}.
+ {S} [feed|feeds] {v} people.
+ {S} [am|is|are] enough for {v} people.
+ The recipe for {S} serves {v} people.
+ {S} will be enough for {v} guests.
+ With {S} you can feed {v} people.
= {v} hungry people can share {S}.
= {S} can be cut into {v} portions, one for each guest.
? How many people [do|does] {S} feed?
? For how many people [am|is|are] {S} enough?
? How many people can eat {S}?
? How many guests [am|is|are] {S} enough for?
? How many people does the recipe for {S} serve?
! How many can share {S}?
! Into how many portions can {S} be cut?
~ how many people {S} [feed|feeds]
@ closing_time | L | time | closing time/closes at | It is {v}.
+ {S} [close|closes] at {v}.
+ {P} closing time is {v}.
+ At {v} {S} [close|closes] for the night.
+ The doors of {S} close at {v}.
+ The closing time of {S} is {v}, also on Sundays.
= All visitors must leave {S} by {v}.
= {S} [shut|shuts] at {v}.
? When [do|does] {S} close?
? What time [do|does] {S} close?
? What is the closing time of {S}?
? At what time [do|does] {S} close?
? What is {P} closing time?
! By when must visitors leave {S}?
! At what hour [do|does] {S} shut?
~ when {S} [close|closes]
@ opening_time | L | time | opening time/opens at | It is {v}.
+ {S} [open|opens] at {v}.
+ {P} opening time is {v}.
+ At {v} {S} [open|opens] its doors.
+ The doors of {S} open at {v}.
+ The opening time of {S} is {v}.
= Visitors may enter {S} from {v}.
= The first visitors are let into {S} at {v}.
? When [do|does] {S} open?
? What time [do|does] {S} open?
? What is the opening time of {S}?
? At what time [do|does] {S} open?
? What is {P} opening time?
! From when may visitors enter {S}?
! At what hour [do|does] {S} let in the first visitors?
~ when {S} [open|opens]
@ quiet_hours | L | time | quiet hours from/quiet from | It is {v}.
+ Quiet hours at {S} begin at {v}.
+ {P} quiet hours start at {v}.
+ From {v} there are quiet hours at {S}.
+ Please keep quiet at {S} from {v}.
+ The quiet hours of {S} begin at {v}.
= No noise is allowed at {S} after {v}.
= Loud music at {S} must stop at {v}.
? When do quiet hours begin at {S}?
? What time do the quiet hours of {S} start?
? From what time should I keep quiet at {S}?
? When do {P} quiet hours start?
? At what time do quiet hours at {S} begin?
! After what time is no noise allowed at {S}?
! When must loud music stop at {S}?
~ when quiet hours begin at {S}
@ bin_day | LH | day | bin day/bins | It is {v}.
+ {P} bin day is {v}.
+ {v} is {P} bin day.
+ {P} bins are emptied on {v}.
+ {P} bins go out on {v}.
+ On {v} {P} bins are emptied.
= The rubbish truck comes for {P} bins on {v}.
= {P} rubbish is picked up on {v}.
? When is {P} bin day?
? What is {P} bin day?
? Which day is {P} bin day?
? When are {P} bins emptied?
? On which day do {P} bins go out?
! When is {P} rubbish picked up?
! When does the rubbish truck come for {P} bins?
~ when {P} bin day is
@ key_place | LH | spot | key/spare key | It is {v}.
+ {P} spare key is {v}.
+ {P} spare key lies {v}.
+ You will find {P} spare key {v}.
+ Someone put {P} spare key {v}.
+ {P} spare key is kept {v}, for emergencies.
= If locked out, look {v} for {P} spare key.
= {P} extra key is hidden {v}.
? Where is {P} spare key?
? Where is {P} spare key kept?
? Where can I find {P} spare key?
? What is the place of {P} spare key?
? Where do I look for {P} spare key?
! Where is {P} extra key hidden?
! Where should one look if locked out, to find {P} spare key?
~ where {P} spare key is
@ guest_limit | L | small | guest limit/guests allowed | It is {v}.
+ The guest limit of {S} is {v}.
+ {P} guest limit is {v}.
+ At most {v} guests are allowed at {S}.
+ No more than {v} guests may stay at {S}.
+ {S} [have|has] a guest limit of {v}.
= Nobody may bring more than {v} guests to {S}.
= {S} can take in {v} guests and not one more.
? What is the guest limit of {S}?
? How many guests are allowed at {S}?
? What is {P} guest limit?
? How many guests may stay at {S}?
? Which guest limit [do|does] {S} have?
! How many guests may one bring to {S}?
! What is the largest number of guests for {S}?
~ how many guests are allowed at {S}
@ codename | J | name_like | codename/code name | It is {v}.
+ The codename of {S} is {v}.
+ {P} codename is {v}.
+ {v} is the codename of {S}.
+ {S} [have|has] the codename {v}.
+ The codename for {S} will be {v}.
= In secret, {S} [am|is|are] known as {v}.
= Insiders call {O} {v}.
? What is the codename of {S}?
? What is {P} codename?
? Which codename [do|does] {S} have?
? What codename was given to {S}?
? What is the codename for {S}?
! What do insiders call {O}?
! What [am|is|are] {S} known as in secret?
~ what the codename of {S} is
@ leader | J | formal_person | leader/led by | It is {v}.
+ The leader of {S} is {v}.
+ {v} is the leader of {S}.
+ {S} [am|is|are] led by {v}.
+ {P} leader is {v}.
+ {v} leads {O}.
= {v} is in charge of {S}.
= {v} runs {O}.
? Who is the leader of {S}?
? Who leads {O}?
? Who is {P} leader?
? By whom [am|is|are] {S} led?
? What is the leader of {S} called?
! Who is in charge of {S}?
! Who runs {O}?
~ who the leader of {S} is
~ who leads {O}
@ budget | J | price | budget/money | It is {v}.
+ The budget of {S} is {v}.
+ {P} budget is {v}.
+ {v} is the budget of {S}.
+ {S} [have|has] a budget of {v}.
+ There is a budget of {v} for {S}.
= {S} may spend {v} in all.
= The money set aside for {S} is {v}.
? What is the budget of {S}?
? How big is the budget of {S}?
? What is {P} budget?
? Which budget [do|does] {S} have?
? What budget [do|does] {S} have?
! How much may {S} spend in all?
! How much money is set aside for {S}?
~ what the budget of {S} is
"""

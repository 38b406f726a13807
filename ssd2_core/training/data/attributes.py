"""Attribute nouns of the open relations, by value maker. None of them repeats a relation of the table."""

THING_ATTRIBUTES = {
    "code": "gate code, door code, alarm code, access code, serial number, badge number, order number, box number, "
            "rack number, "
            "shelf number, part number, tracking code, discount code, entry code, model number, licence plate, "
            "lot number, "
            "catalogue number, docking code, batch number, radio channel, invoice number, permit number, safe code, "
            "tag number",
    "digits": "account number, customer number, meter number, help line, fax number, register number, form number, "
              "reference number, "
              "unit number, hotline, postal code, archive number, stock number, printer code, membership number, "
              "case number",
    "formal_person": "head chef, night guard, caretaker, first owner, main sponsor, treasurer, deputy, founder, "
                     "designer, inspector, "
                     "contact person, main speaker, first aider, repair person, accountant, photographer, "
                     "head gardener, librarian, "
                     "press officer, safety officer, driver, main critic, chief engineer, secretary, translator, "
                     "new intern, architect, "
                     "patron, auditor, night nurse, storyteller, youngest member, oldest member, lead singer, "
                     "web editor",
    "name_like": "printer name, network name, nickname, old name, code word, mascot name, sister ship, safe word, "
                 "working title, "
                 "server name, call sign, rival, house band, first prize, main partner, radio name, backup server, "
                 "theme song, "
                 "motto, test machine, delivery company, robot name, sound system, paint name, twin town, "
                 "newsletter name, logo name",
    "colour": "badge colour, door colour, roof colour, flag colour, shirt colour, wall colour, lid colour, "
              "button colour, ribbon colour, "
              "label colour, carpet colour, curtain colour, sign colour, bag colour, ticket colour, stripe colour, "
              "folder colour",
    "spot": "spare key place, fuse place, ladder place, remote place, charger place, manual place, cash place, "
            "torch place, meeting spot",
    "time": "lunch time, break time, cleaning time, check-in time, check-out time, delivery time, last call, "
            "feeding time, "
            "alarm time, boarding time, tea time, test time, morning call, switch-off time, pickup time, "
            "rehearsal time",
    "day": "cleaning day, delivery day, laundry day, market day, training day, rest day, inspection day, payday, "
           "quiet day, fish day, "
           "watering day, visiting day, test day, backup day, shopping day, free entry day",
    "date": "launch date, opening date, renewal date, expiry date, inspection date, release date, review date, "
            "moving date, "
            "season start, first sale, last service, exam date, payment date, test date",
    "year": "founding year, building year, opening year, renovation year, purchase year, first season, record year, "
            "patent year",
    "price": "entry fee, monthly rent, deposit, late fee, parking fee, delivery fee, repair cost, cleaning fee, "
             "yearly fee, prize money, "
             "service charge, insurance cost, heating cost, lowest offer, refund, key deposit",
    "number": "seat count, member count, page count, step count, bed count, score, visitor record, table count, "
              "shelf count, "
              "chair count, window count, room count, lamp count, parking spaces, copy count, ticket count",
    "weight": "load limit, shipping weight, empty weight, baggage limit, sugar stock",
    "length": "height, width, depth, length, cable length, door width, handle length, rim width",
    "minutes": "walking time, break length, charging time, waiting time, warm-up time, travel time, drying time, "
               "parking limit",
    "material": "main material, roof material, floor material, handle material, lid material, table material, "
                "frame material, wall material",
    "the_animal": "mascot animal, logo animal, flag animal, lucky animal, badge animal, door animal",
    "food": "daily dish, party food, signature dish, house special, staff lunch, best seller, free snack, "
            "farewell dish",
    "drink": "welcome drink, house drink, free drink, staff drink, toast drink",
    "city": "home port, birthplace, place of origin, next stop, final stop, headquarters, sister city, "
            "storage town, repair town",
    "street": "delivery address, parking street, main entrance, back entrance, old address, mailing address, "
              "nearest street",
    "room": "store room, server room, tea room, music room, quiet room, exam room, backup room, copy room, "
            "workshop room",
    "company": "main supplier, cleaning firm, insurer, bank, phone company, power company, security firm, "
               "printing firm, owner company",
    "password": "guest password, admin password, screen password, backup password, tablet password, router password",
}

PERSON_ATTRIBUTES = {
    "code": "badge number, bike lock code, parking space, membership number, suitcase code, library card, "
            "mailbox number, gym card, "
            "passport number, ticket number, licence plate, staff number, order number, student number, desk number",
    "digits": "phone number, account number, lottery number, emergency number, bank code, customer number, "
              "radio code, office number",
    "number": "lucky number, shirt number, best score, bowling score, golf score, house number, seat number",
    "formal_person": "tax adviser, piano tutor, favourite author, hairdresser, mentor, yoga coach, "
                     "personal trainer, vet, lawyer, "
                     "plumber, babysitter, gardener, dance partner, chess rival, pen friend, tennis partner, "
                     "roommate, emergency contact",
    "name_like": "username, boat name, nickname at work, stage name, pen name, gamer tag, secret word, book club, "
                 "band name, "
                 "favourite band, favourite game, blog name, favourite shop, radio name, favourite café, "
                 "house name, dream ship",
    "colour": "bike colour, door colour, coat colour, hat colour, bag colour, umbrella colour, scarf colour, "
              "hair colour, sofa colour, "
              "kitchen colour, phone colour, tent colour, boat colour, helmet colour",
    "spot": "spare key place, passport place, wallet place, umbrella place, charger place, diary place, "
            "ladder place, toolbox place",
    "time": "wake-up time, bedtime, lunch time, gym time, dinner time, coffee time, alarm time, lesson time, "
            "school pickup time",
    "day": "laundry day, gym day, day off, shopping day, choir day, cleaning day, library day, swimming day, "
           "market day",
    "date": "wedding day, moving date, exam date, holiday start, passport expiry, first day at work, name day, "
            "next check-up",
    "price": "monthly rent, weekly budget, bus fare, pocket money, phone bill, gym fee, savings goal, club fee, "
             "parking fine",
    "city": "dream city, next stop, holiday home, last trip, study town, favourite island, favourite town",
    "food": "lunch order, birthday dish, comfort food, breakfast, signature dish, picnic food, usual order, "
            "lucky meal",
    "drink": "morning drink, bedtime drink, usual drink, party drink, office drink",
    "the_animal": "lucky animal, spirit animal, costume animal, tattoo animal, garden visitor",
    "length": "height, jump record, desk height, scarf length, running goal",
    "minutes": "daily walk, nap length, best lap, commute, reading goal, drive to work",
    "company": "bank, insurer, phone company, power company, gym, former employer, delivery firm, internet provider",
    "password": "laptop password, tablet password, email password, router password, game password, club password",
    "room": "classroom, office, exam room, dorm room, ward, practice room",
}

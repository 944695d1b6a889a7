"""English of several kinds, as a sentence encoder meets it; all of it is in the public domain."""

PARAGRAPHS = (
    # Jane Austen, Pride and Prejudice
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife. However little known the feelings or views of such a man may be on "
    "his first entering a neighbourhood, this truth is so well fixed in the minds of the "
    "surrounding families, that he is considered the rightful property of some one or other of "
    "their daughters.",
    # Herman Melville, Moby-Dick
    "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in "
    "my purse, and nothing particular to interest me on shore, I thought I would sail about a "
    "little and see the watery part of the world. It is a way I have of driving off the spleen and "
    "regulating the circulation.",
    # Lewis Carroll, Alice's Adventures in Wonderland
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having "
    "nothing to do: once or twice she had peeped into the book her sister was reading, but it had "
    "no pictures or conversations in it, and what is the use of a book, thought Alice, without "
    "pictures or conversations?",
    # Charles Darwin, On the Origin of Species
    "When on board H.M.S. Beagle, as naturalist, I was much struck with certain facts in the "
    "distribution of the inhabitants of South America, and in the geological relations of the "
    "present to the past inhabitants of that continent. These facts seemed to me to throw some "
    "light on the origin of species, that mystery of mysteries, as it has been called by one of "
    "our greatest philosophers.",
    # Abraham Lincoln, Gettysburg address
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, "
    "conceived in Liberty, and dedicated to the proposition that all men are created equal. Now we "
    "are engaged in a great civil war, testing whether that nation, or any nation so conceived and "
    "so dedicated, can long endure. We are met on a great battle-field of that war.",
    # Charles Dickens, A Tale of Two Cities
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of Light, it was the season of Darkness, it was the spring of hope, it was the winter "
    "of despair.",
    # Adam Smith, The Wealth of Nations
    "The greatest improvement in the productive powers of labour, and the greater part of the "
    "skill, dexterity, and judgment, with which it is anywhere directed, or applied, seem to have "
    "been the effects of the division of labour. To take an example, therefore, from a very "
    "trifling manufacture, the trade of a pin-maker.",
    # Arthur Conan Doyle, A Study in Scarlet
    "In the year 1878 I took my degree of Doctor of Medicine of the University of London, and "
    "proceeded to Netley to go through the course prescribed for surgeons in the army. Having "
    "completed my studies there, I was duly attached to the Fifth Northumberland Fusiliers as "
    "Assistant Surgeon.",
    # Henry David Thoreau, Walden
    "I went to the woods because I wished to live deliberately, to front only the essential facts "
    "of life, and see if I could not learn what it had to teach, and not, when I came to die, "
    "discover that I had not lived. I did not wish to live what was not life, living is so dear.",
    # Michael Faraday, The Chemical History of a Candle
    "There is not a law under which any part of this universe is governed which does not come into "
    "play, and is touched upon in these phenomena. There is no better, there is no more open door "
    "by which you can enter into the study of natural philosophy, than by considering the physical "
    "phenomena of a candle.",
    # Short ones, as people type them
    "How do I reset the password of my account if I no longer have the phone number?",
    "The second train to the airport leaves from platform nine at a quarter past six.",
)
"""A paragraph each, of at most 128 word pieces."""

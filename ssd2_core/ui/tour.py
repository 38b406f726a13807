"""The stops of the tour, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stop:
    """One step: a few words, its prose, and what lights up."""

    title: str
    text: str
    parts: str


TOUR_NEXT, TOUR_BEFORE, TOUR_CLOSE = "Next", "Previous", "Back to the list"

TOUR = (
    Stop("A core that knows much", "The core is the large model. It reads your question and nothing else: no document ever "
         "reaches it.", "#core"),
    Stop("Small experts beside it", "Each small expert has something that the core lacks: one reads documents, one knows an "
         "invented island by its weights. Pick any, bring your own, or teach one.", "#cards"),
    Stop("Documents go to readers only", "What you paste or drop is cut into passages. Those that fit the question go before "
         "it, in the context of the experts that read; under the answer stands which they were.", "#documents"),
    Stop("An answer begins as noise", "A block of words starts as pure noise: every position is a bit of every word of the "
         "vocabulary. Each step takes some of the noise away; this bar is what is left.", "#viewer .status-bar"),
    Stop("All words at once", "At every step all experts look at the same noisy block and say what each position will be. "
         "Words settle in any order, and change while they are unsure: colour is who decided, strength is how sure; in grey "
         "above them stands what the models see.",
         "#viewer .field"),
    Stop("Weights fuse them", "The fused probability is a product: every expert's log-probability times its weight. Move a "
         "weight while an answer is written and the next step follows it.", "#mix, #cards [id^=weight-]"),
    Stop("The surer one leads", "With the adaptive rule a weight moves at every position: the expert with less doubt there "
         "gains. Constant keeps the weights, schedule lets the core finish.", "#advanced"),
    Stop("Who decided", "A word's share is what each expert had in it, at the step that set it. The chart follows the shares "
         "over the steps; as the words stand, all come to agree with them.", "#viewer .legend, #viewer .chart"),
)

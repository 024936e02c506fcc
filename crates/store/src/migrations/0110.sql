-- The variant of an experiment that somebody picked as its winner; from then on every conversation of the roll-out gets it.
ALTER TABLE flag ADD COLUMN picked TEXT;

-- When a conversation left the comparison: a winner was picked before its outcome was known. What it came to later says nothing of its variant.
ALTER TABLE exposure ADD COLUMN left_at {int};

"""English: the lexicon, sentences, corrections."""

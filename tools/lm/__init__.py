"""Word n-gram language model: `python -m tools.lm --lexicon DIR/lexicon.txt --out DIR`."""

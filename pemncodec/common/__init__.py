"""Small things that every folder uses: element types, words, bits, files, locks, progress."""

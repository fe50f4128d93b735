/** The sentences of all errors by their codes. `{}` is a value of the error; a list of values fills one after the other. */

/** @type {Record<string, string>} */
export const SENTENCES = {
  // Of several places.
  damaged: "the {} was damaged",
  end: "it ends too early",
  many: "there are too many {}",
  memory: "it takes more memory than this machine gives",
  over: "{} takes {} bytes; the limit is {}",
  range: "the {} is out of range",
  unknown: "unknown {}",
  unmaskable: "a kept layer or a prototype is of a dtype that cannot be masked",
  unused: "a {} has no user",
  // The file.
  after: "{} bytes follow the file",
  magic: "not a .pemn file",
  short: "the file ends too early",
  "short-of": "{} of {} bytes are there",
  version: "version {}.{}; this decoder reads 1.0 to {}.{}",
  // The manifest.
  alias: "the target of an alias is an alias",
  "alias-task": "the target of an alias is of another task",
  arranged: "an arranged prototype arranges nothing",
  "base-digest": "a delta without the digest of its base",
  dtypes: "the prototypes of a layer have two dtypes",
  keys: "the metadata keys are empty or not ascending",
  left: "bytes are left over",
  "mask-fit": "a mask has another length than what it belongs to",
  "mask-length": "a mask is too long",
  "mask-ones": "a mask has more ones than bits",
  "name-shared": "a name shares more than the name before has",
  "name-size": "a name is empty or too long",
  "name-twice": "the name {} is there twice",
  "name-zero": "a name has a byte 0",
  negated: "a layer is of a dtype that cannot be negated",
  number: "a number is not minimal, or longer than 9 bytes",
  scaled: "a layer is of a dtype that cannot be scaled",
  sixteen: "a normal distribution has fewer than 16 elements",
  sizes: "the sizes of masks and blocks do not add up to the payload's",
  "task-name": "the name of a task is empty or too long",
  "task-twice": "two tasks have one name",
  "utf-8": "a string is not UTF-8",
  // Masks.
  "bits-few": "a mask has fewer bits than its layer needs",
  "bits-many": "a mask has more bits than its layer needs",
  "chunk-sizes": "the sizes of chunks do not add up to what is left",
  constant: "a constant mask is not constant",
  "gaps-few": "there are too few gaps",
  "gaps-left": "gap bytes are left over",
  ones: "a mask has another number of ones",
  "rans-state": "a state of rANS does not end at its beginning",
  "rans-words": "there are too few words of rANS, or too many",
  "raw-size": "raw bytes have another size",
  "unused-bits": "unused bits are set",
  // Blocks, prototypes and layers.
  "block-left": "a block goes on after its end",
  bool: "a bool is neither 0 nor 1",
  digest: "the digest of a prototype does not agree",
  grouped: "grouped planes of no elements",
  infinite: "a generated element is infinite",
  palette: "the values of a palette are not ascending",
  "scaled-infinite": "a scaled value is not finite",
  weights: "all weights of a table are 0",
  // Deltas.
  "base-fit": "a reference to another dtype or size of the base",
  "base-mask": "no such mask in the base",
  "base-row": "a reference to nothing of the base",
  bases: "more than {} bases, one upon another",
  // Frames.
  "zstd-after": "a Zstandard frame is followed by other bytes",
  "zstd-block": "a block of a Zstandard frame is empty or too long",
  "zstd-checksum": "the checksum of a Zstandard frame does not agree",
  "zstd-content": "a Zstandard frame holds another size than it declares",
  "zstd-dictionary": "a Zstandard frame needs a dictionary",
  "zstd-end": "a Zstandard frame, or a part of it, ends too early",
  "zstd-literals": "a Zstandard frame has too few literals",
  "zstd-magic": "not a Zstandard frame",
  "zstd-offset": "an offset of a Zstandard frame points before its beginning",
  "zstd-repeat": "a Zstandard frame repeats a table that it does not have",
  "zstd-reserved": "a reserved bit or type of a Zstandard frame is set",
  "zstd-size": "a Zstandard frame declares another size than is expected",
  "zstd-stream": "a bit stream of a Zstandard frame does not end where it should",
  "zstd-table": "a table of a Zstandard frame breaks a rule",
  "zstd-tree": "a Huffman tree of a Zstandard frame breaks a rule",
  "zstd-unsized": "a Zstandard frame does not declare its content size",
  "zstd-window": "the window of a Zstandard frame is too large",
};

/** @type {import("./errors.js").Sentences} */
export function sentence(code, values) {
  let next = 0;
  return SENTENCES[code].replaceAll("{}", () => String(values[next++]));
}

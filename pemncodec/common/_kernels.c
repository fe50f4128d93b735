/* The inner loops of decoding and of rANS, compiled: optional, with the same bits as their numpy counterparts.

   rans.py and fill.py check every argument that a file decides before they call. What is checked here is what keeps
   memory safe whatever the arguments are: the items and lengths of buffers, that no output overlaps another buffer, and
   every number that decides an index. Buffers lie at any address and hold objects of any type, so elements are read and
   written by memcpy. Other threads may write to a buffer while the lock is released: what was checked is copied first.
   All integers are of the machine's own byte order. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Where the loader can choose, the loops are also compiled for wider vectors. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
/* By feature, not by vendor: processors of several vendors have fused multiply-add. */
#if __GNUC__ >= 12
#define FUSED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FUSED __attribute__((target_clones("fma", "default")))
#endif
#else
#define WIDE
#define FUSED
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define TOTAL 65536u
#define FEW 4096 /* bytes, up to which rANS is decoded without a table */
#define STREAMED (1u << 18) /* elements, from which a tensor is written past the cache */

typedef unsigned char Byte;

#define DEFINE_ELEMENT(type, width)                                                                                    \
    INLINE type load_##width(const Byte *from) {                                                                       \
        type value;                                                                                                    \
        memcpy(&value, from, sizeof value);                                                                            \
        return value;                                                                                                  \
    }                                                                                                                  \
    INLINE void store_##width(Byte *to, type value) { memcpy(to, &value, sizeof value); }

DEFINE_ELEMENT(uint8_t, 8)
DEFINE_ELEMENT(uint16_t, 16)
DEFINE_ELEMENT(uint32_t, 32)
DEFINE_ELEMENT(uint64_t, 64)

/* --- arguments --------------------------------------------------------------------------------------------- */

enum { READ, WRITE };

/* A buffer that a function takes: elements of `width` bytes, of one of the types in `types` (characters of Python's
   `struct`), or their bytes. */
typedef struct {
    const char *name;
    const char *types;
    size_t width;
    int use;
} Wanted;

#define UNSIGNED "BHILQN"
#define ANY_NUMBER "bBhHiIlLqQnNefd"

static PyObject *refuse(const char *what, const char *why) {
    PyErr_Format(PyExc_ValueError, "%s %s", what, why);
    return NULL;
}

static PyObject *too_short(const char *what) { return refuse(what, "is too short"); }

static int fits_type(const Py_buffer *view, const Wanted *wanted) {
    const char *format = view->format == NULL ? "B" : view->format;
    if (*format == (PY_LITTLE_ENDIAN ? '<' : '>') || *format == '@' || *format == '=' || *format == '^') format++;
    if (format[0] == '\0' || format[1] != '\0') return 0; /* records, and the other byte order */
    if (view->itemsize == 1 && strchr("Bbc", *format) != NULL) return 1;
    return view->itemsize == (Py_ssize_t)wanted->width && strchr(wanted->types, *format) != NULL;
}

static int overlap(const Py_buffer *a, const Py_buffer *b) {
    const uintptr_t first = (uintptr_t)a->buf, second = (uintptr_t)b->buf;
    return first < second ? second - first < (size_t)a->len : first - second < (size_t)b->len;
}

static void release(Py_buffer *views, int count) {
    while (count > 0) PyBuffer_Release(&views[--count]);
}

/* Views of all buffers, to be released by the caller; or -1, an exception, and none. */
static int take(PyObject *const *objects, const Wanted *wanted, Py_buffer *views, int count) {
    for (int i = 0; i < count; i++) {
        const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (wanted[i].use == WRITE ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(objects[i], &views[i], flags) < 0) {
            release(views, i);
            return -1;
        }
        const char *why = NULL;
        if (!fits_type(&views[i], &wanted[i])) why = "holds items of another type";
        else if ((size_t)views[i].len % wanted[i].width != 0) why = "is not a whole number of elements";
        for (int j = 0; j < i && why == NULL; j++)
            if ((wanted[i].use == WRITE || wanted[j].use == WRITE) && views[i].len > 0 && views[j].len > 0 &&
                overlap(&views[i], &views[j]))
                why = "overlaps another argument";
        if (why != NULL) {
            refuse(wanted[i].name, why);
            release(views, i + 1);
            return -1;
        }
    }
    return 0;
}

/* --- rANS (spec section 5.1) ------------------------------------------------------------------------------- */

typedef struct {
    uint16_t start;
    uint16_t last; /* the frequency less one: 2^16 fits */
} Slice;

/* The slices of 2^16 that the frequencies give; 0, or -1 and an exception. */
static int make_slices(const Py_buffer *frequencies, Slice *slices) {
    uint32_t start = 0;
    if (frequencies->len != 256 * 4) {
        refuse("frequencies", "are not 256");
        return -1;
    }
    for (int value = 0; value < 256; value++) {
        const uint32_t frequency = load_32((const Byte *)frequencies->buf + 4 * value);
        if (frequency < 1 || frequency > TOTAL - start) {
            refuse("frequencies", "do not add up to 2^16, each at least 1");
            return -1;
        }
        slices[value].start = (uint16_t)start;
        slices[value].last = (uint16_t)(frequency - 1);
        start += frequency;
    }
    if (start != TOTAL) {
        refuse("frequencies", "do not add up to 2^16, each at least 1");
        return -1;
    }
    return 0;
}

WIDE static Py_ssize_t decode_rans_loop(Byte *restrict states, size_t lanes, const Byte *restrict words,
                                        size_t available, const uint8_t *restrict symbols,
                                        const Slice *restrict slices, Byte *restrict out, size_t count) {
    size_t used = 0;
    for (size_t begin = 0; begin < count; begin += lanes) {
        const size_t row = count - begin < lanes ? count - begin : lanes;
        Byte *restrict content = out + begin;
        if (available - used > row) { /* no branch on what is random */
            for (size_t lane = 0; lane < row; lane++) {
                uint32_t x = load_32(states + 4 * lane);
                const uint32_t slot = x & 0xFFFF;
                const uint8_t symbol = symbols[slot];
                const Slice slice = slices[symbol];
                content[lane] = symbol;
                x = (slice.last + 1u) * (x >> 16) + slot - slice.start;
                const uint32_t low = x < TOTAL;
                store_32(states + 4 * lane, x << (low << 4) | (load_16(words + 2 * used) & (0u - low)));
                used += low;
            }
            continue;
        }
        for (size_t lane = 0; lane < row; lane++) {
            uint32_t x = load_32(states + 4 * lane);
            const uint32_t slot = x & 0xFFFF;
            const uint8_t symbol = symbols[slot];
            content[lane] = symbol;
            x = (slices[symbol].last + 1u) * (x >> 16) + slot - slices[symbol].start;
            if (x < TOTAL) {
                if (used == available) return -1;
                x = x << 16 | load_16(words + 2 * used++);
            }
            store_32(states + 4 * lane, x);
        }
    }
    return (Py_ssize_t)used;
}

/* The same for few bytes, without a table of all slots, which takes as long as 10,000 of them. */
static Py_ssize_t decode_few(Byte *states, size_t lanes, const Byte *words, size_t available, const Slice *slices,
                             Byte *out, size_t count) {
    uint8_t first[256]; /* the symbol of the first slot of each 256 */
    size_t used = 0;
    for (unsigned high = 0, symbol = 0; high < 256; high++) {
        while (symbol < 255 && slices[symbol + 1].start <= high << 8) symbol++;
        first[high] = (uint8_t)symbol;
    }
    for (size_t i = 0, lane = 0; i < count; i++, lane = lane + 1 == lanes ? 0 : lane + 1) {
        uint32_t x = load_32(states + 4 * lane);
        const uint32_t slot = x & 0xFFFF;
        unsigned symbol = first[slot >> 8];
        while (symbol < 255 && slices[symbol + 1].start <= slot) symbol++;
        out[i] = (Byte)symbol;
        x = (slices[symbol].last + 1u) * (x >> 16) + slot - slices[symbol].start;
        if (x < TOTAL) {
            if (used == available) return -1;
            x = x << 16 | load_16(words + 2 * used++);
        }
        store_32(states + 4 * lane, x);
    }
    return (Py_ssize_t)used;
}

/* decode_rans(states, words, frequencies, out) -> words used, or -1 if there were too few */
static PyObject *decode_rans(PyObject *self, PyObject *args) {
    static const Wanted wanted[4] = {{"states", UNSIGNED, 4, WRITE},
                                     {"words", UNSIGNED, 2, READ},
                                     {"frequencies", UNSIGNED, 4, READ},
                                     {"out", UNSIGNED, 1, WRITE}};
    PyObject *objects[4], *result = NULL;
    Py_buffer views[4];
    const Py_buffer *states = &views[0], *words = &views[1], *frequencies = &views[2], *out = &views[3];
    uint8_t *symbols = NULL;
    Slice slices[256];
    if (!PyArg_ParseTuple(args, "OOOO", &objects[0], &objects[1], &objects[2], &objects[3])) return NULL;
    if (take(objects, wanted, views, 4) < 0) return NULL;
    if (states->len == 0) {
        too_short("states");
        goto done;
    }
    if (make_slices(frequencies, slices) < 0) goto done;
    if (out->len < FEW) {
        result = PyLong_FromSsize_t(decode_few(states->buf, (size_t)states->len / 4, words->buf,
                                               (size_t)words->len / 2, slices, out->buf, (size_t)out->len));
        goto done;
    }
    symbols = PyMem_Malloc(TOTAL);
    if (symbols == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (int value = 0; value < 256; value++) memset(symbols + slices[value].start, value, slices[value].last + 1u);
    Py_ssize_t used;
    Py_BEGIN_ALLOW_THREADS
    used = decode_rans_loop(states->buf, (size_t)states->len / 4, words->buf, (size_t)words->len / 2, symbols, slices,
                            out->buf, (size_t)out->len);
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(used);
done:
    PyMem_Free(symbols);
    release(views, 4);
    return result;
}

static size_t encode_rans_loop(const Byte *restrict content, size_t count, const Slice *slices, Byte *restrict states,
                               size_t lanes, Byte *restrict words, size_t capacity) {
    uint32_t frequency[256], start[256];
    for (int value = 0; value < 256; value++) {
        frequency[value] = slices[value].last + 1u;
        start[value] = slices[value].start;
    }
    size_t used = 0;
    for (size_t lane = 0; lane < lanes; lane++) store_32(states + 4 * lane, TOTAL);
    for (size_t i = count, lane = count ? (count - 1) % lanes : 0; i-- > 0; lane = lane ? lane - 1 : lanes - 1) {
        const Byte symbol = content[i];
        const uint32_t f = frequency[symbol];
        uint32_t x = load_32(states + 4 * lane);
        if (x >= (uint64_t)f << 16) {
            store_16(words + 2 * (capacity - ++used), (uint16_t)x);
            x >>= 16;
        }
        store_32(states + 4 * lane, (x / f << 16) + x % f + start[symbol]);
    }
    return used;
}

/* encode_rans(content, frequencies, states, words) -> words written, from the end of `words` towards its beginning */
static PyObject *encode_rans(PyObject *self, PyObject *args) {
    static const Wanted wanted[4] = {{"content", UNSIGNED, 1, READ},
                                     {"frequencies", UNSIGNED, 4, READ},
                                     {"states", UNSIGNED, 4, WRITE},
                                     {"words", UNSIGNED, 2, WRITE}};
    PyObject *objects[4], *result = NULL;
    Py_buffer views[4];
    const Py_buffer *content = &views[0], *frequencies = &views[1], *states = &views[2], *words = &views[3];
    Slice slices[256];
    if (!PyArg_ParseTuple(args, "OOOO", &objects[0], &objects[1], &objects[2], &objects[3])) return NULL;
    if (take(objects, wanted, views, 4) < 0) return NULL;
    if (states->len == 0) {
        too_short("states");
        goto done;
    }
    if (words->len / 2 < content->len) {
        too_short("words");
        goto done;
    }
    if (make_slices(frequencies, slices) < 0) goto done;
    size_t used;
    Py_BEGIN_ALLOW_THREADS
    used = encode_rans_loop(content->buf, (size_t)content->len, slices, states->buf, (size_t)states->len / 4,
                            words->buf, (size_t)words->len / 2);
    Py_END_ALLOW_THREADS
    result = PyLong_FromSize_t(used);
done:
    release(views, 4);
    return result;
}

/* --- filling (spec section 7) ------------------------------------------------------------------------------ */

enum { ZERO, NEGATED, SECOND };

/* Row b, column j: all ones where bit j of byte b is one. */
#define ONES(type, byte, j) ((byte) >> (j) & 1 ? (type) ~(type)0 : (type)0)
#define ROW(type, byte)                                                                                                \
    {ONES(type, byte, 0), ONES(type, byte, 1), ONES(type, byte, 2), ONES(type, byte, 3),                               \
     ONES(type, byte, 4), ONES(type, byte, 5), ONES(type, byte, 6), ONES(type, byte, 7)}
#define ROWS_4(type, byte) ROW(type, byte), ROW(type, (byte) + 1), ROW(type, (byte) + 2), ROW(type, (byte) + 3)
#define ROWS_16(type, byte)                                                                                            \
    ROWS_4(type, byte), ROWS_4(type, (byte) + 4), ROWS_4(type, (byte) + 8), ROWS_4(type, (byte) + 12)
#define ROWS_64(type, byte)                                                                                            \
    ROWS_16(type, byte), ROWS_16(type, (byte) + 16), ROWS_16(type, (byte) + 32), ROWS_16(type, (byte) + 48)
#define ROWS_256(type) ROWS_64(type, 0), ROWS_64(type, 64), ROWS_64(type, 128), ROWS_64(type, 192)

/* For each width: eight words a byte of the mask. `values` and `others` hold what stands at these positions. */
#define DEFINE_SELECT(type, width)                                                                                     \
    static const type rows_##width[256][8] = {ROWS_256(type)};                                                         \
    INLINE type get_##width(const Byte *from, size_t at) { return load_##width(from + at * sizeof(type)); }            \
    INLINE void put_##width(Byte *to, size_t at, type value) { store_##width(to + at * sizeof(type), value); }         \
    WIDE static void select_##width(Byte *restrict out, const Byte *restrict packed, size_t count,                     \
                                    const Byte *restrict values, const Byte *restrict others, int zero) {              \
        const size_t whole = count / 8;                                                                                \
        const type sign = (type)((type)1 << (width - 1));                                                              \
        if (zero == ZERO) {                                                                                            \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (size_t j = 0; j < 8; j++) put_##width(out, 8 * i + j, get_##width(values, 8 * i + j) & row[j]);   \
            }                                                                                                          \
        } else if (zero == NEGATED) {                                                                                  \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (size_t j = 0; j < 8; j++) {                                                                       \
                    const type value = get_##width(values, 8 * i + j);                                                 \
                    put_##width(out, 8 * i + j, value ^ (value ? (type)(sign & (type)~row[j]) : (type)0));             \
                }                                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (size_t j = 0; j < 8; j++) {                                                                       \
                    const type value = get_##width(values, 8 * i + j), other = get_##width(others, 8 * i + j);         \
                    put_##width(out, 8 * i + j, (value & row[j]) | (other & (type)~row[j]));                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t i = 8 * whole; i < count; i++) {                                                                   \
            type value = get_##width(values, i);                                                                       \
            if (!(packed[i / 8] >> (i % 8) & 1))                                                                       \
                value = zero == ZERO      ? (type)0                                                                    \
                        : zero == NEGATED ? (type)(value ? value ^ sign : 0)                                           \
                                          : get_##width(others, i);                                                    \
            put_##width(out, i, value);                                                                                \
        }                                                                                                              \
    }                                                                                                                  \
    /* Kept values at the one bits; returns how many were used, or -1 if there were too few. */                        \
    static Py_ssize_t scatter_##width(Byte *restrict out, const Byte *restrict packed, size_t count,                   \
                                      const Byte *restrict kept, size_t available) {                                   \
        size_t used = 0, i = 0;                                                                                        \
        for (; i + 8 <= count && available - used >= 8; i += 8) {                                                      \
            const Byte byte = packed[i / 8];                                                                           \
            for (size_t j = 0; j < 8; j++) { /* read at each position, counted where the bit is one: no branch */      \
                const size_t bit = byte >> j & 1u;                                                                     \
                put_##width(out, i + j, (type)(get_##width(kept, used) * (type)bit));                                  \
                used += bit;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        for (; i < count; i++) {                                                                                       \
            type value = 0;                                                                                            \
            if (packed[i / 8] >> (i % 8) & 1) {                                                                        \
                if (used == available) return -1;                                                                      \
                value = get_##width(kept, used++);                                                                     \
            }                                                                                                          \
            put_##width(out, i, value);                                                                                \
        }                                                                                                              \
        return (Py_ssize_t)used;                                                                                       \
    }

DEFINE_SELECT(uint8_t, 8)
DEFINE_SELECT(uint16_t, 16)
DEFINE_SELECT(uint32_t, 32)
DEFINE_SELECT(uint64_t, 64)

#if defined(__SSE2__)
/* Zeros and values of four bytes, stored past the cache: a large tensor does not fit it, and need not be read before
   it is written. `out` is a multiple of sixteen bytes. */
static void stream_32(Byte *out, const Byte *packed, size_t whole, const Byte *values) {
    for (size_t i = 0; i < whole; i++) {
        const Byte *row = (const Byte *)rows_32[packed[i]];
        for (size_t at = 0; at < 32; at += 16) {
            const __m128i mask = _mm_loadu_si128((const void *)(row + at));
            const __m128i value = _mm_loadu_si128((const void *)(values + 32 * i + at));
            _mm_stream_si128((void *)(out + 32 * i + at), _mm_and_si128(value, mask));
        }
    }
    _mm_sfence();
}
#endif

/* Elements from..from+count of a repetition are contiguous in `values`, which is one period and what follows it. */
typedef struct {
    const Byte *values;
    size_t available, period, at;
} Tile;

static size_t tile_run(const Tile *tile) { return tile->available - tile->at; }

static void tile_step(Tile *tile, size_t count) { tile->at = (tile->at + count) % tile->period; }

static int fill_loop(Byte *out, const Byte *packed, size_t count, size_t width, int zero, Tile first, Tile second) {
    size_t done = 0;
    while (done < count) {
        size_t run = count - done;
        if (run > tile_run(&first)) run = tile_run(&first) & ~(size_t)7;
        if (zero == SECOND && run > tile_run(&second)) run = tile_run(&second) & ~(size_t)7;
        if (run == 0) return -1;
        Byte *to = out + done * width;
        const Byte *bits = packed + done / 8;
        const Byte *values = first.values + first.at * width;
        const Byte *others = zero == SECOND ? second.values + second.at * width : NULL;
#if defined(__SSE2__)
        if (width == 4 && zero == ZERO && count >= STREAMED && (uintptr_t)to % 16 == 0) {
            const size_t whole = run / 8;
            stream_32(to, bits, whole, values);
            select_32(to + 32 * whole, bits + whole, run % 8, values + 32 * whole, NULL, zero);
            done += run;
            tile_step(&first, run);
            continue;
        }
#endif
        switch (width) {
            case 1: select_8(to, bits, run, values, others, zero); break;
            case 2: select_16(to, bits, run, values, others, zero); break;
            case 4: select_32(to, bits, run, values, others, zero); break;
            default: select_64(to, bits, run, values, others, zero);
        }
        done += run;
        tile_step(&first, run);
        if (zero == SECOND) tile_step(&second, run);
    }
    return 0;
}

/* 0, or -1 and an exception. */
static int make_tile(Tile *tile, const char *name, const Py_buffer *buffer, size_t width, Py_ssize_t period,
                     Py_ssize_t phase) {
    if (period < 1 || phase < 0 || phase >= period) {
        refuse(name, "have no such period and phase");
        return -1;
    }
    tile->values = buffer->buf;
    tile->available = (size_t)buffer->len / width;
    tile->period = (size_t)period;
    tile->at = (size_t)phase;
    if (tile->available < tile->period) {
        too_short(name);
        return -1;
    }
    return 0;
}

/* fill(out, packed, width, zero, values, period, phase, others, other_period, other_phase) */
static PyObject *fill(PyObject *self, PyObject *args) {
    int width, zero;
    Py_ssize_t period, phase, other_period, other_phase;
    PyObject *objects[4], *result = NULL;
    Py_buffer views[4];
    const Py_buffer *out = &views[0], *packed = &views[1], *values = &views[2], *others = &views[3];
    if (!PyArg_ParseTuple(args, "OOiiOnnOnn", &objects[0], &objects[1], &width, &zero, &objects[2], &period, &phase,
                          &objects[3], &other_period, &other_phase))
        return NULL;
    if ((width != 1 && width != 2 && width != 4 && width != 8) || zero < ZERO || zero > SECOND)
        return refuse("the width or the meaning of zero bits", "is unknown");
    const size_t bytes = (size_t)width;
    const Wanted wanted[4] = {{"out", ANY_NUMBER, bytes, WRITE},
                              {"packed", UNSIGNED, 1, READ},
                              {"values", ANY_NUMBER, bytes, READ},
                              {"others", ANY_NUMBER, bytes, READ}};
    if (take(objects, wanted, views, 4) < 0) return NULL;
    Tile first, second;
    const size_t count = (size_t)out->len / bytes;
    if ((size_t)packed->len < (count + 7) / 8) {
        too_short("packed");
        goto done;
    }
    if (make_tile(&first, "values", values, bytes, period, phase) < 0 ||
        make_tile(&second, "others", others, bytes, other_period, other_phase) < 0)
        goto done;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = fill_loop(out->buf, packed->buf, count, bytes, zero, first, second);
    Py_END_ALLOW_THREADS
    if (status < 0) {
        too_short("what follows a period");
        goto done;
    }
    result = Py_NewRef(Py_None);
done:
    release(views, 4);
    return result;
}

/* scatter(out, packed, width, kept) -> kept values used, or -1 if there were too few */
static PyObject *scatter(PyObject *self, PyObject *args) {
    int width;
    PyObject *objects[3], *result = NULL;
    Py_buffer views[3];
    const Py_buffer *out = &views[0], *packed = &views[1], *kept = &views[2];
    if (!PyArg_ParseTuple(args, "OOiO", &objects[0], &objects[1], &width, &objects[2])) return NULL;
    if (width != 1 && width != 2 && width != 4 && width != 8) return refuse("the width", "is unknown");
    const size_t bytes = (size_t)width;
    const Wanted wanted[3] = {
        {"out", ANY_NUMBER, bytes, WRITE}, {"packed", UNSIGNED, 1, READ}, {"kept", ANY_NUMBER, bytes, READ}};
    if (take(objects, wanted, views, 3) < 0) return NULL;
    const size_t count = (size_t)out->len / bytes, available = (size_t)kept->len / bytes;
    if ((size_t)packed->len < (count + 7) / 8) {
        too_short("packed");
        goto done;
    }
    Py_ssize_t used;
    Py_BEGIN_ALLOW_THREADS
    switch (width) {
        case 1: used = scatter_8(out->buf, packed->buf, count, kept->buf, available); break;
        case 2: used = scatter_16(out->buf, packed->buf, count, kept->buf, available); break;
        case 4: used = scatter_32(out->buf, packed->buf, count, kept->buf, available); break;
        default: used = scatter_64(out->buf, packed->buf, count, kept->buf, available);
    }
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(used);
done:
    release(views, 3);
    return result;
}

/* --- byte planes (spec section 6) and columns of integers (spec section 1) ----------------------------------------- */

#define DEFINE_JOIN(type, width)                                                                                       \
    WIDE static void join_##width(Byte *restrict out, const Byte *restrict planes, size_t count, int rotated) {        \
        for (size_t i = 0; i < count; i++) {                                                                           \
            type value = 0;                                                                                            \
            for (size_t j = 0; j < sizeof value; j++) value |= (type)((type)planes[j * count + i] << 8 * j);           \
            store_##width(out + i * sizeof value,                                                                      \
                          rotated ? (type)(value >> 1 | (type)(value << (width - 1))) : value);                        \
        }                                                                                                              \
    }

DEFINE_JOIN(uint16_t, 16)
DEFINE_JOIN(uint32_t, 32)
DEFINE_JOIN(uint64_t, 64)

INLINE unsigned lowest(uint64_t word) {
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(word);
#else
    unsigned place = 0;
    while ((word >> place & 1) == 0) place++;
    return place;
#endif
}

/* join_planes(out, planes, width, rotated) */
static PyObject *join_planes(PyObject *self, PyObject *args) {
    int width, rotated;
    PyObject *objects[2], *result = NULL;
    Py_buffer views[2];
    if (!PyArg_ParseTuple(args, "OOip", &objects[0], &objects[1], &width, &rotated)) return NULL;
    if (width != 2 && width != 4 && width != 8) return refuse("the width", "is unknown");
    const Wanted wanted[2] = {{"out", UNSIGNED, (size_t)width, WRITE}, {"planes", UNSIGNED, 1, READ}};
    if (take(objects, wanted, views, 2) < 0) return NULL;
    if (views[1].len != views[0].len) {
        refuse("planes", "have another length");
        goto done;
    }
    const size_t count = (size_t)views[0].len / (size_t)width;
    Py_BEGIN_ALLOW_THREADS
    switch (width) {
        case 2: join_16(views[0].buf, views[1].buf, count, rotated); break;
        case 4: join_32(views[0].buf, views[1].buf, count, rotated); break;
        default: join_64(views[0].buf, views[1].buf, count, rotated);
    }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(views, 2);
    return result;
}

/* positions(out, packed) -> whether `packed` has as many ones as `out` has places, which are filled then */
static PyObject *positions(PyObject *self, PyObject *args) {
    static const Wanted wanted[2] = {{"out", "lqLQnN", 8, WRITE}, {"packed", UNSIGNED, 1, READ}};
    PyObject *objects[2];
    Py_buffer views[2];
    if (!PyArg_ParseTuple(args, "OO", &objects[0], &objects[1])) return NULL;
    if (take(objects, wanted, views, 2) < 0) return NULL;
    Byte *out = views[0].buf;
    const Byte *packed = views[1].buf;
    const size_t room = (size_t)views[0].len / 8, bytes = (size_t)views[1].len;
    size_t found = 0;
    int fits = 1;
    Py_BEGIN_ALLOW_THREADS
    for (size_t at = 0; at < bytes && fits; at += 8) {
        uint64_t word = 0;
        for (size_t j = 0; j < 8 && at + j < bytes; j++) word |= (uint64_t)packed[at + j] << 8 * j;
        while (word != 0) {
            if (found == room) {
                fits = 0;
                break;
            }
            store_64(out + 8 * found++, 8 * (uint64_t)at + lowest(word));
            word &= word - 1;
        }
    }
    Py_END_ALLOW_THREADS
    release(views, 2);
    return PyBool_FromLong(fits && found == room);
}

/* varints(data, start, count, most) -> (integers, position after them), or None where an integer is not in order */
static PyObject *varints(PyObject *self, PyObject *args) {
    PyObject *objects[1], *column = NULL, *result = NULL;
    Py_buffer views[1];
    Py_ssize_t start, count;
    long long most;
    if (!PyArg_ParseTuple(args, "OnnL", &objects[0], &start, &count, &most)) return NULL;
    static const Wanted wanted[1] = {{"data", UNSIGNED, 1, READ}};
    if (take(objects, wanted, views, 1) < 0) return NULL;
    const Byte *data = views[0].buf;
    if (start < 0 || start > views[0].len || count < 0 || count > views[0].len - start || most < 0) {
        refuse("a number", "is out of range");
        goto done;
    }
    if ((column = PyList_New(count)) == NULL) goto done;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t value = 0;
        Byte byte;
        int shift = 0;
        do { /* nine bytes at most, so that the value fits */
            if (start == views[0].len || shift == 63) goto broken;
            byte = data[start++];
            value |= (uint64_t)(byte & 0x7F) << shift;
            shift += 7;
        } while (byte >= 0x80);
        if ((byte == 0 && shift > 7) || value > (uint64_t)most) goto broken;
        PyObject *number = PyLong_FromUnsignedLongLong(value);
        if (number == NULL) goto done;
        PyList_SET_ITEM(column, i, number);
    }
    result = Py_BuildValue("On", column, start);
    goto done;
broken:
    result = Py_NewRef(Py_None);
done:
    Py_XDECREF(column);
    release(views, 1);
    return result;
}

/* --- PyTorch's CPU generator (spec sections 8.8 and 8.9) ------------------------------------------------------------ */

/* Every operation is one of binary32, rounded by itself; what is fused says so. The build turns contraction off, and
   machines that compute in wider registers do without this part. */
#if FLT_EVAL_METHOD == 0
#define PAIRS 8

INLINE float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE float fraction(uint32_t draw) { return (float)(int32_t)(draw & 0xFFFFFF) * 0x1p-24f; }

/* Some compilers fuse where others do not: spec 8.9. */
INLINE float multiply_add(float a, float b, float c, int fused) { return fused ? fmaf(a, b, c) : a * b + c; }

INLINE float logarithm(float x, int fused) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    float e = (float)((int32_t)(bits >> 23) - 126);
    const float m = of_bits((bits & 0x007FFFFF) | 0x3F000000);
    const int small = m < of_bits(0x3F3504F3);
    e = e - (small ? 1.0f : 0.0f);
    const float f = (m - 1.0f) + (small ? m : 0.0f);
    const float z = f * f;
    float p = multiply_add(of_bits(0x3D9021BB), f, of_bits(0xBDEBD1B8), fused);
    p = multiply_add(p, f, of_bits(0x3DEF251A), fused);
    p = multiply_add(p, f, of_bits(0xBDFE5D4F), fused);
    p = multiply_add(p, f, of_bits(0x3E11E9BF), fused);
    p = multiply_add(p, f, of_bits(0xBE2AAE50), fused);
    p = multiply_add(p, f, of_bits(0x3E4CCEAC), fused);
    p = multiply_add(p, f, of_bits(0xBE7FFFFC), fused);
    p = multiply_add(p, f, of_bits(0x3EAAAAAA), fused);
    p = p * f;
    p = multiply_add(p, z, e * of_bits(0xB95E8083), fused);
    p = p - z * 0.5f;
    return multiply_add(e, of_bits(0x3F318000), f + p, fused);
}

INLINE void sine_cosine(float t, float *sine, float *cosine, int fused) {
    int32_t n = (int32_t)(t * of_bits(0x3FA2F983));
    n += n & 1;
    const float y = (float)n;
    float a = multiply_add(y, of_bits(0xBF490000), t, fused);
    a = multiply_add(y, of_bits(0xB97DA000), a, fused);
    a = multiply_add(y, of_bits(0xB3222169), a, fused);
    const float z = a * a;
    float c = multiply_add(multiply_add(of_bits(0x37CCF5CE), z, of_bits(0xBAB6061A), fused), z, of_bits(0x3D2AAAA5), fused) * z;
    c = multiply_add(c, z, -(z * 0.5f), fused) + 1.0f;
    float s = multiply_add(multiply_add(of_bits(0xB94CA1F9), z, of_bits(0x3C08839E), fused), z, of_bits(0xBE2AAAA3), fused) * z;
    s = multiply_add(s, a, a, fused);
    const int turned = n & 2;
    const float first = turned ? c : s, second = turned ? s : c;
    *sine = n & 4 ? -first : first;
    *cosine = (n + 2) & 4 ? -second : second;
}

/* The C library's (8.9), in binary64: 1 / c and log(c) for a c in each sixteenth. */
static const double inverses[16] = {
    0x1.661ec79f8f3bep+0, 0x1.571ed4aaf883dp+0, 0x1.49539f0f010bp+0,  0x1.3c995b0b80385p+0,
    0x1.30d190c8864a5p+0, 0x1.25e227b0b8eap+0,  0x1.1bb4a4a1a343fp+0, 0x1.12358f08ae5bap+0,
    0x1.0953f419900a7p+0, 0x1p+0,               0x1.e608cfd9a47acp-1, 0x1.ca4b31f026aap-1,
    0x1.b2036576afce6p-1, 0x1.9c2d163a1aa2dp-1, 0x1.886e6037841edp-1, 0x1.767dcf5534862p-1};
static const double logarithms[16] = {
    -0x1.57bf7808caadep-2, -0x1.2bef0a7c06ddbp-2, -0x1.01eae7f513a67p-2, -0x1.b31d8a68224e9p-3,
    -0x1.6574f0ac07758p-3, -0x1.1aa2bc79c81p-3,   -0x1.a4e76ce8c0e5ep-4, -0x1.1973c5a611cccp-4,
    -0x1.252f438e10c1ep-5, 0,                     0x1.aa5aa5df25984p-5,  0x1.c5e53aa362eb4p-4,
    0x1.526e57720db08p-3,  0x1.bc2860d22477p-3,   0x1.1058bc8a07ee1p-2,  0x1.4043057b6ee09p-2};

INLINE float library_logarithm(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    const uint32_t above = bits - 0x3F330000u + (128u << 23); /* not negative, so that the shift is defined */
    const int32_t k = (int32_t)(above >> 23) - 128;
    const double q = (double)of_bits(bits - ((uint32_t)k << 23)) * inverses[above >> 19 & 15] - 1.0, square = q * q;
    double y = 0x1.5575b0be00b6ap-2 * q + -0x1.ffffef20a4123p-2;
    y = -0x1.00ea348b88334p-2 * square + y;
    y = y * square + ((logarithms[above >> 19 & 15] + (double)k * 0x1.62e42fefa39efp-1) + q);
    return (float)y;
}

INLINE void library_sine_cosine(float t, float *sine, float *cosine) {
    double x = t;
    const int32_t n = ((int32_t)(x * 0x1.45f306dc9c883p+23) + (1 << 23)) >> 24;
    x = x - (double)n * 0x1.921fb54442d18p+0;
    const double z = x * x, third = x * z, fourth = z * z;
    const float s = (float)((x + third * -0x1.555545995a603p-3) +
                            (third * z) * (0x1.1107605230bc4p-7 + z * -0x1.994eb3774cf24p-13));
    const float c = (float)(((1.0 + z * -0x1.ffffffd0c621cp-2) + fourth * 0x1.55553e1068f19p-5) +
                            (fourth * z) * (-0x1.6c087e89a359dp-10 + z * 0x1.99343027bf8c3p-16));
    const float first = n & 1 ? c : s, second = n & 1 ? s : c;
    *sine = n & 2 ? -first : first;
    *cosine = (n + 1) & 2 ? -second : second;
}

/* Some blocks at a time, stage by stage: each loop is one that compilers turn into vectors. */
#define BLOCKS 64
#define TAU 0x1.921fb54442d18p+2

FUSED
static void normal_loop(Byte *restrict out, const Byte *restrict draws, size_t blocks, float scale, int dialect) {
    const int library = dialect == 2;
    float radius[BLOCKS * PAIRS], sine[BLOCKS * PAIRS], cosine[BLOCKS * PAIRS];
    while (blocks) {
        const size_t now = blocks < BLOCKS ? blocks : BLOCKS, pairs = now * PAIRS;
        for (size_t b = 0; b < now; b++)
            for (size_t j = 0; j < PAIRS; j++) {
                const float angle = fraction(load_32(draws + 4 * ((2 * b + 1) * PAIRS + j)));
                radius[b * PAIRS + j] = 1.0f - fraction(load_32(draws + 4 * (2 * b * PAIRS + j)));
                sine[b * PAIRS + j] = library ? (float)(TAU * angle) : of_bits(0x40C90FDB) * angle;
            }
        if (library) {
            for (size_t i = 0; i < pairs; i++) radius[i] = sqrtf(-2.0f * library_logarithm(radius[i]));
            for (size_t i = 0; i < pairs; i++) library_sine_cosine(sine[i], &sine[i], &cosine[i]);
        } else if (dialect == 1) {
            for (size_t i = 0; i < pairs; i++) radius[i] = sqrtf(-2.0f * logarithm(radius[i], 0));
            for (size_t i = 0; i < pairs; i++) sine_cosine(sine[i], &sine[i], &cosine[i], 0);
        } else {
            for (size_t i = 0; i < pairs; i++) radius[i] = sqrtf(-2.0f * logarithm(radius[i], 1));
            for (size_t i = 0; i < pairs; i++) sine_cosine(sine[i], &sine[i], &cosine[i], 1);
        }
        for (size_t i = 0; i < pairs; i++) {
            sine[i] = fmaf(radius[i] * sine[i], scale, 0.0f);
            cosine[i] = fmaf(radius[i] * cosine[i], scale, 0.0f);
        }
        for (size_t b = 0; b < now; b++) {
            memcpy(out + 8 * b * PAIRS, cosine + b * PAIRS, 4 * PAIRS);
            memcpy(out + (8 * b + 4) * PAIRS, sine + b * PAIRS, 4 * PAIRS);
        }
        out += 8 * pairs;
        draws += 8 * pairs;
        blocks -= now;
    }
}

INLINE void store_float(Byte *to, float value) { memcpy(to, &value, 4); }

FUSED
static void uniform_loop(Byte *restrict out, const Byte *restrict draws, size_t count, float scale, float low,
                         int fused) {
    if (fused)
        for (size_t i = 0; i < count; i++) store_float(out + 4 * i, fmaf(fraction(load_32(draws + 4 * i)), scale, low));
    else
        for (size_t i = 0; i < count; i++) store_float(out + 4 * i, fraction(load_32(draws + 4 * i)) * scale + low);
}

#define MT_WORDS 624
#define MT_HALF 397

INLINE uint32_t twisted(uint32_t high, uint32_t low) {
    const uint32_t mixed = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
    return (mixed >> 1) ^ (low & 1 ? 0x9908B0DFu : 0);
}

/* The next 624 words of the state, and the draws that they are. */
WIDE
static void twist(uint32_t *state, Byte *out) {
    for (int i = 0; i < MT_WORDS - MT_HALF; i++) state[i] = state[i + MT_HALF] ^ twisted(state[i], state[i + 1]);
    for (int i = MT_WORDS - MT_HALF; i < MT_WORDS - 1; i++)
        state[i] = state[i + MT_HALF - MT_WORDS] ^ twisted(state[i], state[i + 1]);
    state[MT_WORDS - 1] = state[MT_HALF - 1] ^ twisted(state[MT_WORDS - 1], state[0]);
    for (int i = 0; i < MT_WORDS; i++) {
        uint32_t x = state[i];
        x ^= x >> 11;
        x ^= (x << 7) & 0x9D2C5680u;
        x ^= (x << 15) & 0xEFC60000u;
        store_32(out + 4 * i, x ^ (x >> 18));
    }
}

/* mt19937(state, out): as many draws as fit, a multiple of 624; the state goes on */
static PyObject *mt19937(PyObject *self, PyObject *args) {
    static const Wanted wanted[2] = {{"state", UNSIGNED, 4, WRITE}, {"out", UNSIGNED, 4, WRITE}};
    PyObject *objects[2], *result = NULL;
    Py_buffer views[2];
    const Py_buffer *state = &views[0], *out = &views[1];
    uint32_t words[MT_WORDS];
    if (!PyArg_ParseTuple(args, "OO", &objects[0], &objects[1])) return NULL;
    if (take(objects, wanted, views, 2) < 0) return NULL;
    if (state->len != sizeof words || out->len % (Py_ssize_t)sizeof words != 0) {
        refuse("state or out", "is not a multiple of 624 words");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    memcpy(words, state->buf, sizeof words);
    for (size_t at = 0; at < (size_t)out->len; at += sizeof words) twist(words, (Byte *)out->buf + at);
    memcpy(state->buf, words, sizeof words);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(views, 2);
    return result;
}

/* Numbers and the draws that they are made of: views of as many elements, in whole blocks; or -1 and an exception. */
static int take_draws(PyObject *const *objects, Py_buffer *views, Py_ssize_t block) {
    static const Wanted wanted[2] = {{"out", "f", 4, WRITE}, {"draws", UNSIGNED, 4, READ}};
    if (take(objects, wanted, views, 2) < 0) return -1;
    if (views[0].len == views[1].len && views[0].len % block == 0) return 0;
    refuse("out or draws", "is too short, or no whole number of blocks");
    release(views, 2);
    return -1;
}

/* For "O&": converting a number that is out of range would be undefined. */
static int to_float32(PyObject *object, void *out) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) return 0;
    if (isfinite(value) && fabs(value) > FLT_MAX) {
        refuse("a parameter", "is beyond float32");
        return 0;
    }
    *(float *)out = (float)value;
    return 1;
}

/* pytorch_normal(out, draws, scale, dialect): whole blocks of sixteen; 0 fused, 1 separate, 2 the C library's */
static PyObject *pytorch_normal(PyObject *self, PyObject *args) {
    PyObject *objects[2];
    Py_buffer views[2];
    float scale;
    int dialect;
    if (!PyArg_ParseTuple(args, "OOO&i", &objects[0], &objects[1], to_float32, &scale, &dialect)) return NULL;
    if (dialect < 0 || dialect > 2) return refuse("the dialect", "is unknown");
    if (take_draws(objects, views, 8 * PAIRS) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS
    normal_loop(views[0].buf, views[1].buf, (size_t)views[0].len / (8 * PAIRS), scale, dialect);
    Py_END_ALLOW_THREADS
    release(views, 2);
    return Py_NewRef(Py_None);
}

/* pytorch_uniform(out, draws, scale, low, fused) */
static PyObject *pytorch_uniform(PyObject *self, PyObject *args) {
    PyObject *objects[2];
    Py_buffer views[2];
    float scale, low;
    int fused;
    if (!PyArg_ParseTuple(args, "OOO&O&p", &objects[0], &objects[1], to_float32, &scale, to_float32, &low, &fused))
        return NULL;
    if (take_draws(objects, views, 4) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS
    uniform_loop(views[0].buf, views[1].buf, (size_t)views[0].len / 4, scale, low, fused);
    Py_END_ALLOW_THREADS
    release(views, 2);
    return Py_NewRef(Py_None);
}
#endif

static PyMethodDef methods[] = {
    {"decode_rans", decode_rans, METH_VARARGS, NULL},
    {"encode_rans", encode_rans, METH_VARARGS, NULL},
    {"fill", fill, METH_VARARGS, NULL},
    {"scatter", scatter, METH_VARARGS, NULL},
    {"join_planes", join_planes, METH_VARARGS, NULL},
    {"positions", positions, METH_VARARGS, NULL},
    {"varints", varints, METH_VARARGS, NULL},
#if FLT_EVAL_METHOD == 0
    {"mt19937", mt19937, METH_VARARGS, NULL},
    {"pytorch_normal", pytorch_normal, METH_VARARGS, NULL},
    {"pytorch_uniform", pytorch_uniform, METH_VARARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

/* Nothing is kept between calls: any interpreter may have the module, and none needs its lock for it. */
static PyModuleDef_Slot slots[] = {
#if defined(Py_mod_multiple_interpreters)
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if defined(Py_mod_gil)
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&module); }

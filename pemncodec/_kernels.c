/* The inner loops of decoding and of rANS, compiled: optional, and the same bits as the numpy ways beside them.

   masks/rans.py and fill.py check every argument that a file decides before they call; what is checked here is
   what keeps memory safe: the lengths of buffers. All integers are of the machine's own byte order. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Where the loader can choose, the loops are compiled for wider vectors, too. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
/* By what a processor has, not by its name: those of other makers have fused multiply-add, too. */
#if __GNUC__ >= 12
#define FUSED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FUSED __attribute__((target_clones("fma", "default")))
#endif
#else
#define WIDE
#define FUSED
#endif

#define TOTAL 65536u
#define STREAMED (1u << 18) /* elements, from which a tensor is written past the cache */

static PyObject *too_short(const char *what) {
    PyErr_Format(PyExc_ValueError, "%s is too short", what);
    return NULL;
}

/* --- rANS (spec section 5.1) ------------------------------------------------------------------------------- */

typedef struct {
    uint16_t start;
    uint16_t last; /* the frequency less one: 2^16 fits */
} Slice;

WIDE static Py_ssize_t decode_rans_loop(uint32_t *restrict states, size_t lanes, const uint16_t *restrict words,
                                        size_t available, const uint8_t *restrict symbols,
                                        const Slice *restrict slices, uint8_t *restrict out, size_t count) {
    size_t used = 0;
    for (size_t begin = 0; begin < count; begin += lanes) {
        const size_t row = count - begin < lanes ? count - begin : lanes;
        uint8_t *restrict content = out + begin;
        if (available - used > row) { /* no branch on what is random */
            for (size_t lane = 0; lane < row; lane++) {
                uint32_t x = states[lane];
                const uint32_t slot = x & 0xFFFF;
                const uint8_t symbol = symbols[slot];
                const Slice slice = slices[symbol];
                content[lane] = symbol;
                x = (slice.last + 1u) * (x >> 16) + slot - slice.start;
                const uint32_t low = x < TOTAL;
                states[lane] = x << (low << 4) | (words[used] & (0u - low));
                used += low;
            }
            continue;
        }
        for (size_t lane = 0; lane < row; lane++) {
            uint32_t x = states[lane];
            const uint32_t slot = x & 0xFFFF;
            const uint8_t symbol = symbols[slot];
            content[lane] = symbol;
            x = (slices[symbol].last + 1u) * (x >> 16) + slot - slices[symbol].start;
            if (x < TOTAL) {
                if (used == available) return -1;
                x = x << 16 | words[used++];
            }
            states[lane] = x;
        }
    }
    return (Py_ssize_t)used;
}

/* decode_rans(states, words, frequencies, out) -> words used, or -1 if there were too few */
static PyObject *decode_rans(PyObject *self, PyObject *args) {
    Py_buffer states, words, frequencies, out;
    if (!PyArg_ParseTuple(args, "w*y*y*w*", &states, &words, &frequencies, &out)) return NULL;
    PyObject *result = NULL;
    uint8_t *symbols = NULL;
    if (frequencies.len != 256 * 4 || states.len < 4) {
        too_short("an argument of decode_rans");
        goto done;
    }
    symbols = PyMem_Malloc(TOTAL);
    if (symbols == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    Slice slices[256];
    uint32_t start = 0;
    for (int value = 0; value < 256; value++) {
        const uint32_t frequency = ((const uint32_t *)frequencies.buf)[value];
        if (frequency < 1 || frequency > TOTAL - start) {
            PyErr_SetString(PyExc_ValueError, "the frequencies do not add up to 2^16");
            goto done;
        }
        memset(symbols + start, value, frequency);
        slices[value].start = (uint16_t)start;
        slices[value].last = (uint16_t)(frequency - 1);
        start += frequency;
    }
    if (start != TOTAL) {
        PyErr_SetString(PyExc_ValueError, "the frequencies do not add up to 2^16");
        goto done;
    }
    Py_ssize_t used;
    Py_BEGIN_ALLOW_THREADS
    used = decode_rans_loop(states.buf, (size_t)states.len / 4, words.buf, (size_t)words.len / 2, symbols, slices,
                            out.buf, (size_t)out.len);
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(used);
done:
    PyMem_Free(symbols);
    PyBuffer_Release(&states);
    PyBuffer_Release(&words);
    PyBuffer_Release(&frequencies);
    PyBuffer_Release(&out);
    return result;
}

/* encode_rans(content, frequencies, states, words) -> words written, from the end of `words` towards its beginning */
static PyObject *encode_rans(PyObject *self, PyObject *args) {
    Py_buffer content, frequencies, states, words;
    if (!PyArg_ParseTuple(args, "y*y*w*w*", &content, &frequencies, &states, &words)) return NULL;
    PyObject *result = NULL;
    const size_t count = (size_t)content.len, lanes = (size_t)states.len / 4;
    if (frequencies.len != 256 * 4 || lanes < 1 || (size_t)words.len / 2 < count) {
        too_short("an argument of encode_rans");
        goto done;
    }
    const uint32_t *frequency = frequencies.buf;
    uint32_t starts[256], start = 0;
    for (int value = 0; value < 256; value++) {
        starts[value] = start;
        start += frequency[value];
        if (frequency[value] < 1 || frequency[value] > TOTAL) {
            PyErr_SetString(PyExc_ValueError, "a frequency is not 1 to 2^16");
            goto done;
        }
    }
    size_t used = 0;
    Py_BEGIN_ALLOW_THREADS
    uint32_t *state = states.buf;
    uint16_t *last = (uint16_t *)words.buf + (size_t)words.len / 2;
    const uint8_t *bytes = content.buf;
    for (size_t lane = 0; lane < lanes; lane++) state[lane] = TOTAL;
    for (size_t i = count, lane = count ? (count - 1) % lanes : 0; i-- > 0; lane = lane ? lane - 1 : lanes - 1) {
        const uint32_t f = frequency[bytes[i]];
        uint32_t x = state[lane];
        if (x >= (uint64_t)f << 16) {
            *(last - ++used) = (uint16_t)x;
            x >>= 16;
        }
        state[lane] = (x / f << 16) + x % f + starts[bytes[i]];
    }
    Py_END_ALLOW_THREADS
    result = PyLong_FromSize_t(used);
done:
    PyBuffer_Release(&content);
    PyBuffer_Release(&frequencies);
    PyBuffer_Release(&states);
    PyBuffer_Release(&words);
    return result;
}

/* --- filling (spec section 7) ------------------------------------------------------------------------------ */

enum { ZERO, NEGATED, SECOND };

/* For each width: eight words a byte of the mask. `values` and `others` hold what stands at these positions. */
#define DEFINE_SELECT(type, width)                                                                                     \
    static type rows_##width[256][8];                                                                                  \
    WIDE static void select_##width(type *restrict out, const uint8_t *restrict packed, size_t count,                  \
                                    const type *restrict values, const type *restrict others, int zero) {              \
        const size_t whole = count / 8;                                                                                \
        const type sign = (type)((type)1 << (width - 1));                                                              \
        if (zero == ZERO) {                                                                                            \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (int j = 0; j < 8; j++) out[8 * i + j] = values[8 * i + j] & row[j];                               \
            }                                                                                                          \
        } else if (zero == NEGATED) {                                                                                  \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (int j = 0; j < 8; j++) {                                                                          \
                    const type value = values[8 * i + j];                                                              \
                    out[8 * i + j] = value ^ (value ? (type)(sign & (type)~row[j]) : (type)0);                         \
                }                                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < whole; i++) {                                                                       \
                const type *row = rows_##width[packed[i]];                                                             \
                for (int j = 0; j < 8; j++)                                                                            \
                    out[8 * i + j] = (values[8 * i + j] & row[j]) | (others[8 * i + j] & (type)~row[j]);               \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t i = 8 * whole; i < count; i++) {                                                                   \
            const type value = values[i];                                                                              \
            const type off = zero == ZERO ? 0 : zero == NEGATED ? (type)(value ? value ^ sign : 0) : others[i];        \
            out[i] = packed[i / 8] >> (i % 8) & 1 ? value : off;                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    /* Kept values at the one bits; returns how many were used, or -1 if there were too few. */                        \
    static Py_ssize_t scatter_##width(type *restrict out, const uint8_t *restrict packed, size_t count,                \
                                      const type *restrict kept, size_t available) {                                   \
        size_t used = 0, i = 0;                                                                                        \
        for (; i + 8 <= count && available - used >= 8; i += 8) {                                                      \
            const uint8_t byte = packed[i / 8];                                                                        \
            for (int j = 0; j < 8; j++) { /* read at each position, counted where the bit is one: no branch */         \
                const type bit = (type)(byte >> j & 1);                                                                \
                out[i + j] = kept[used] & (type)-bit;                                                                  \
                used += bit;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        for (; i < count; i++) {                                                                                       \
            out[i] = 0;                                                                                                \
            if (packed[i / 8] >> (i % 8) & 1) {                                                                        \
                if (used == available) return -1;                                                                      \
                out[i] = kept[used++];                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
        return (Py_ssize_t)used;                                                                                       \
    }

DEFINE_SELECT(uint8_t, 8)
DEFINE_SELECT(uint16_t, 16)
DEFINE_SELECT(uint32_t, 32)
DEFINE_SELECT(uint64_t, 64)

#if defined(__SSE2__)
/* Zeros and values of four bytes, stored past the cache: a large tensor does not fit it, and need not be read before it is
   written. */
static void stream_32(uint32_t *out, const uint8_t *packed, size_t whole, const uint32_t *values) {
    for (size_t i = 0; i < whole; i++) {
        const __m128i *row = (const __m128i *)rows_32[packed[i]];
        const __m128i *from = (const __m128i *)(values + 8 * i);
        __m128i *to = (__m128i *)(out + 8 * i);
        _mm_stream_si128(to, _mm_and_si128(_mm_loadu_si128(from), _mm_loadu_si128(row)));
        _mm_stream_si128(to + 1, _mm_and_si128(_mm_loadu_si128(from + 1), _mm_loadu_si128(row + 1)));
    }
    _mm_sfence();
}
#endif

static void fill_rows(void) {
    for (int byte = 0; byte < 256; byte++) {
        for (int j = 0; j < 8; j++) {
            const uint64_t bits = byte >> j & 1 ? UINT64_MAX : 0;
            rows_8[byte][j] = (uint8_t)bits;
            rows_16[byte][j] = (uint16_t)bits;
            rows_32[byte][j] = (uint32_t)bits;
            rows_64[byte][j] = bits;
        }
    }
}

/* Elements from..from+count of a repetition are contiguous in `values`, which is one period and what follows it. */
typedef struct {
    const char *values;
    size_t available, period, at;
} Tile;

static size_t tile_run(const Tile *tile) { return tile->available - tile->at; }

static void tile_step(Tile *tile, size_t count) { tile->at = (tile->at + count) % tile->period; }

static int fill_loop(char *out, const uint8_t *packed, size_t count, size_t width, int zero, Tile first, Tile second) {
    size_t done = 0;
    while (done < count) {
        size_t run = count - done;
        if (run > tile_run(&first)) run = tile_run(&first) & ~(size_t)7;
        if (zero == SECOND && run > tile_run(&second)) run = tile_run(&second) & ~(size_t)7;
        if (run == 0) return -1;
        void *to = out + done * width;
        const void *values = first.values + first.at * width;
        const void *others = zero == SECOND ? second.values + second.at * width : NULL;
#if defined(__SSE2__)
        if (width == 4 && zero == ZERO && count >= STREAMED && (uintptr_t)to % 16 == 0) {
            stream_32(to, packed + done / 8, run / 8, values);
            select_32((uint32_t *)to + run / 8 * 8, packed + done / 8 + run / 8, run % 8,
                      (const uint32_t *)values + run / 8 * 8, NULL, zero);
            done += run;
            tile_step(&first, run);
            continue;
        }
#endif
        switch (width) {
            case 1: select_8(to, packed + done / 8, run, values, others, zero); break;
            case 2: select_16(to, packed + done / 8, run, values, others, zero); break;
            case 4: select_32(to, packed + done / 8, run, values, others, zero); break;
            default: select_64(to, packed + done / 8, run, values, others, zero);
        }
        done += run;
        tile_step(&first, run);
        if (zero == SECOND) tile_step(&second, run);
    }
    return 0;
}

static int make_tile(Tile *tile, const Py_buffer *buffer, size_t width, Py_ssize_t period, Py_ssize_t phase) {
    tile->values = buffer->buf;
    tile->available = (size_t)buffer->len / width;
    tile->period = (size_t)period;
    tile->at = (size_t)phase;
    return period >= 1 && phase >= 0 && phase < period && tile->available >= tile->period;
}

/* fill(out, packed, width, zero, values, period, phase, others, other_period, other_phase) */
static PyObject *fill(PyObject *self, PyObject *args) {
    Py_buffer out, packed, values, others;
    int width, zero;
    Py_ssize_t period, phase, other_period, other_phase;
    if (!PyArg_ParseTuple(args, "w*y*iiy*nny*nn", &out, &packed, &width, &zero, &values, &period, &phase, &others,
                          &other_period, &other_phase))
        return NULL;
    PyObject *result = NULL;
    Tile first, second;
    if ((width != 1 && width != 2 && width != 4 && width != 8) || zero < ZERO || zero > SECOND) {
        PyErr_SetString(PyExc_ValueError, "the width or the meaning of zero bits is unknown");
        goto done;
    }
    const size_t count = (size_t)(out.len / width);
    if ((size_t)packed.len < (count + 7) / 8 || !make_tile(&first, &values, (size_t)width, period, phase) ||
        !make_tile(&second, &others, (size_t)width, other_period, other_phase)) {
        too_short("an argument of fill");
        goto done;
    }
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = fill_loop(out.buf, packed.buf, count, (size_t)width, zero, first, second);
    Py_END_ALLOW_THREADS
    if (status < 0) {
        too_short("what follows a period");
        goto done;
    }
    result = Py_NewRef(Py_None);
done:
    PyBuffer_Release(&out);
    PyBuffer_Release(&packed);
    PyBuffer_Release(&values);
    PyBuffer_Release(&others);
    return result;
}

/* scatter(out, packed, width, kept) -> kept values used, or -1 if there were too few */
static PyObject *scatter(PyObject *self, PyObject *args) {
    Py_buffer out, packed, kept;
    int width;
    if (!PyArg_ParseTuple(args, "w*y*iy*", &out, &packed, &width, &kept)) return NULL;
    PyObject *result = NULL;
    if (width != 1 && width != 2 && width != 4 && width != 8) {
        PyErr_SetString(PyExc_ValueError, "the width is unknown");
        goto done;
    }
    const size_t count = (size_t)(out.len / width), available = (size_t)(kept.len / width);
    if ((size_t)packed.len < (count + 7) / 8) {
        too_short("the mask");
        goto done;
    }
    Py_ssize_t used;
    Py_BEGIN_ALLOW_THREADS
    switch (width) {
        case 1: used = scatter_8(out.buf, packed.buf, count, kept.buf, available); break;
        case 2: used = scatter_16(out.buf, packed.buf, count, kept.buf, available); break;
        case 4: used = scatter_32(out.buf, packed.buf, count, kept.buf, available); break;
        default: used = scatter_64(out.buf, packed.buf, count, kept.buf, available);
    }
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(used);
done:
    PyBuffer_Release(&out);
    PyBuffer_Release(&packed);
    PyBuffer_Release(&kept);
    return result;
}

/* --- PyTorch's CPU generator (spec sections 8.8 and 8.9) ------------------------------------------------------------ */

/* Every operation is one of binary32, rounded by itself; what is fused says so. The build turns contraction off, and
   machines that compute in wider registers do without this part. */
#if FLT_EVAL_METHOD == 0
#define PAIRS 8
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

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
    int32_t bits;
    memcpy(&bits, &x, 4);
    const int32_t above = bits - 0x3F330000, k = above >> 23, i = above >> 19 & 15;
    const double q = (double)of_bits((uint32_t)bits - ((uint32_t)k << 23)) * inverses[i] - 1.0, square = q * q;
    double y = 0x1.5575b0be00b6ap-2 * q + -0x1.ffffef20a4123p-2;
    y = -0x1.00ea348b88334p-2 * square + y;
    y = y * square + ((logarithms[i] + (double)k * 0x1.62e42fefa39efp-1) + q);
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
static void normal_loop(float *out, const uint32_t *draws, size_t blocks, float scale, int dialect) {
    const int library = dialect == 2;
    float radius[BLOCKS * PAIRS], sine[BLOCKS * PAIRS], cosine[BLOCKS * PAIRS];
    while (blocks) {
        const size_t now = blocks < BLOCKS ? blocks : BLOCKS, pairs = now * PAIRS;
        for (size_t b = 0; b < now; b++)
            for (int j = 0; j < PAIRS; j++) {
                const float angle = fraction(draws[(2 * b + 1) * PAIRS + j]);
                radius[b * PAIRS + j] = 1.0f - fraction(draws[2 * b * PAIRS + j]);
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
            memcpy(out + 2 * b * PAIRS, cosine + b * PAIRS, 4 * PAIRS);
            memcpy(out + (2 * b + 1) * PAIRS, sine + b * PAIRS, 4 * PAIRS);
        }
        out += 2 * pairs;
        draws += 2 * pairs;
        blocks -= now;
    }
}

FUSED
static void uniform_loop(float *out, const uint32_t *draws, size_t count, float scale, float low, int fused) {
    if (fused)
        for (size_t i = 0; i < count; i++) out[i] = fmaf(fraction(draws[i]), scale, low);
    else
        for (size_t i = 0; i < count; i++) out[i] = fraction(draws[i]) * scale + low;
}

#define MT_WORDS 624
#define MT_HALF 397

INLINE uint32_t twisted(uint32_t high, uint32_t low) {
    const uint32_t mixed = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
    return (mixed >> 1) ^ (low & 1 ? 0x9908B0DFu : 0);
}

/* The next 624 words of the state, and the draws that they are. */
WIDE
static void twist(uint32_t *state, uint32_t *out) {
    for (int i = 0; i < MT_WORDS - MT_HALF; i++) state[i] = state[i + MT_HALF] ^ twisted(state[i], state[i + 1]);
    for (int i = MT_WORDS - MT_HALF; i < MT_WORDS - 1; i++)
        state[i] = state[i + MT_HALF - MT_WORDS] ^ twisted(state[i], state[i + 1]);
    state[MT_WORDS - 1] = state[MT_HALF - 1] ^ twisted(state[MT_WORDS - 1], state[0]);
    for (int i = 0; i < MT_WORDS; i++) {
        uint32_t x = state[i];
        x ^= x >> 11;
        x ^= (x << 7) & 0x9D2C5680u;
        x ^= (x << 15) & 0xEFC60000u;
        out[i] = x ^ (x >> 18);
    }
}

/* mt19937(state, out): as many draws as fit, a multiple of 624; the state goes on */
static PyObject *mt19937(PyObject *self, PyObject *args) {
    Py_buffer state, out;
    if (!PyArg_ParseTuple(args, "w*w*", &state, &out)) return NULL;
    const int fits = state.len == 4 * MT_WORDS && out.len % (4 * MT_WORDS) == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < out.len; at += 4 * MT_WORDS) twist(state.buf, (uint32_t *)((char *)out.buf + at));
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state);
    PyBuffer_Release(&out);
    return fits ? Py_NewRef(Py_None) : too_short("the state or the output");
}

/* pytorch_normal(out, draws, scale, dialect): whole blocks of sixteen; 0 fused, 1 separate, 2 the C library's */
static PyObject *pytorch_normal(PyObject *self, PyObject *args) {
    Py_buffer out, draws;
    float scale;
    int dialect;
    if (!PyArg_ParseTuple(args, "w*y*fi", &out, &draws, &scale, &dialect)) return NULL;
    const int fits = out.len == draws.len && out.len % (8 * PAIRS) == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        normal_loop(out.buf, draws.buf, (size_t)out.len / (8 * PAIRS), scale, dialect);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&draws);
    return fits ? Py_NewRef(Py_None) : too_short("one of the arrays");
}

/* pytorch_uniform(out, draws, scale, low, fused) */
static PyObject *pytorch_uniform(PyObject *self, PyObject *args) {
    Py_buffer out, draws;
    float scale, low;
    int fused;
    if (!PyArg_ParseTuple(args, "w*y*ffp", &out, &draws, &scale, &low, &fused)) return NULL;
    const int fits = out.len == draws.len && out.len % 4 == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        uniform_loop(out.buf, draws.buf, (size_t)out.len / 4, scale, low, fused);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&draws);
    return fits ? Py_NewRef(Py_None) : too_short("one of the arrays");
}
#endif

static PyMethodDef methods[] = {
    {"decode_rans", decode_rans, METH_VARARGS, NULL},
    {"encode_rans", encode_rans, METH_VARARGS, NULL},
    {"fill", fill, METH_VARARGS, NULL},
    {"scatter", scatter, METH_VARARGS, NULL},
#if FLT_EVAL_METHOD == 0
    {"mt19937", mt19937, METH_VARARGS, NULL},
    {"pytorch_normal", pytorch_normal, METH_VARARGS, NULL},
    {"pytorch_uniform", pytorch_uniform, METH_VARARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void) {
    fill_rows();
    return PyModule_Create(&module);
}

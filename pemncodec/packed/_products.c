/* Products of packed weights with vectors: a mask over a prototype, or over kept values, read as it is stored.

   Row r, column c of the weights has bit r * columns + c of the mask. In a tiled layer the value is that of the
   prototype at (phase + r * columns + c) mod period, and a zero bit stands for zero, for the negated value, or for a
   second prototype's; of kept values the one bits have their values in order. Inputs, sums and outputs are float32.

   The caller says how many rows and columns there are; every index is checked here against the lengths of the buffers.
   Elements are summed in an order that depends on the function and the instruction set only. */

#if !defined(WITHOUT_PYTHON) /* with it, only the products: a check runs them by themselves, on other machines too */
#define PY_SSIZE_T_CLEAN
#if defined(__unix__) || defined(__APPLE__)
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* RTLD_DEFAULT; as Python itself defines it */
#endif
#include <dlfcn.h>
#include <sys/mman.h>
#endif
#include <Python.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char Byte;

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define COUNT_ZEROS(word) __builtin_ctzll(word)
#define PREFETCH(address) __builtin_prefetch(address)
#define PREFETCH_NEXT(address) __builtin_prefetch(address, 0, 2) /* to the second-level cache */
#else
#define INLINE static __forceinline
#define UNROLL
#define PREFETCH(address) (void)(address)
#define PREFETCH_NEXT(address) (void)(address)
INLINE int COUNT_ZEROS(uint64_t word) {
    int count = 0;
    while (!(word >> count & 1)) count++;
    return count;
}
#endif
#if defined(__clang__)
#undef UNROLL
#define UNROLL _Pragma("unroll")
#endif

enum { ZERO, NEGATED, SECOND, KEPT, PLAIN }; /* PLAIN: expanded already */
enum { NEAR, DENSE, SPARSE }; /* the order of summation, which the caller chooses */
enum { SPARE = 64, ROWS_SPARSE = 48, BESIDE = 4 };
/* WIDE registers of vectors times a tile of rows; LONG and STRETCH, multiples of SPARE, and CACHED: floats in a cache. */
enum { WIDE = 2, MOST_TILE = 12, BLOCK = 192, VECTORS = 384, LONG = 1024, STRETCH = 640, CACHED = 1 << 17 };
enum { APART = LONG + 16, WEIGHTS = MOST_TILE * APART, VECTORS_AMX = 512, REST = 8 };
/* Floats of a prototype that lie in the second-level cache, or the first-level one, without being fetched. */
enum { NEAR_BY = 1 << 16, FIRST_LEVEL = 1 << 13 };

/* Columns are padded to `width`, a multiple of SPARE: there bits and values are zero. */
typedef struct {
    const Byte *bits;
    const float *values, *others;
} Row;

typedef struct {
    const float *values;
    int64_t length, period, phase;
} Tile;

typedef struct {
    int kind, order, half; /* of bfloat16 */
    float *out;
    const float *x;
    int64_t batch, vectors, rows, columns, width, begin, end;
    const Byte *bits;
    int64_t size; /* bytes of bits */
    Tile first, second;
    const int64_t *starts; /* of kept values, by row */
    float scale;
    const float *bias; /* of each row, or NULL */
    int64_t group; /* vectors in lanes, of SPARSE */
    int64_t apart; /* rows that begin near each other in the prototype are so far apart */
    const float *rest; /* of DENSE: vectors beside each other that follow those in lanes */
    const float *turned; /* of PLAIN and DENSE: all rows, expanded, in lanes */
    int64_t rests;     /* at most REST of them, where columns are a multiple of SPARE and at most LONG */
} Product;

typedef struct {
    Byte *bits;     /* of the rows that are taken together */
    float *values;  /* of twice as many rows */
    float *weights; /* WEIGHTS, of the rows of a tile */
    float *sums;    /* of vectors in lanes: (BLOCK + MOST_TILE) × VECTORS at most */
} Scratch;

INLINE float result(const Product *p, float sum, int64_t row) {
    return p->bias ? sum * p->scale + p->bias[row] : sum * p->scale;
}

/* Where rows begin in the prototypes: a division for the first one only. */
typedef struct {
    int64_t first, second;
} Places;

INLINE int64_t place_in(const Tile *tile, const Product *p, int64_t row) {
    return (int64_t)(((uint64_t)tile->phase + (uint64_t)row * (uint64_t)p->columns) % (uint64_t)tile->period);
}

INLINE int is_tiled(const int kind) { return kind != KEPT && kind != PLAIN; }

INLINE Places places_of(const int kind, const Product *p, int64_t row) {
    Places at = {0, 0};
    if (is_tiled(kind)) at.first = place_in(&p->first, p, row);
    if (kind == SECOND) at.second = place_in(&p->second, p, row);
    return at;
}

/* The distance from a row to the one so many after it. */
INLINE Places steps_of(const int kind, const Product *p, int64_t rows) {
    Places step = {0, 0};
    if (is_tiled(kind)) step.first = rows * p->columns % p->first.period;
    if (kind == SECOND) step.second = rows * p->columns % p->second.period;
    return step;
}

/* Without a branch: which rows go over the end of the prototype is as good as random. */
INLINE int64_t after(int64_t at, int64_t step, int64_t period) {
    const int64_t back = at + step - period;
    return back + (period & -(int64_t)(back < 0));
}

INLINE void go_on(const int kind, const Product *p, Places *at, const Places *step) {
    if (is_tiled(kind)) at->first = after(at->first, step->first, p->first.period);
    if (kind == SECOND) at->second = after(at->second, step->second, p->second.period);
}

static const float *copy_tile(const Tile *tile, const Product *p, int64_t at, float *copy) {
    for (int64_t done = 0; done < p->columns;) {
        int64_t count = tile->period - at < p->columns - done ? tile->period - at : p->columns - done;
        memcpy(copy + done, tile->values + at, (size_t)count * sizeof(float));
        done += count;
        at = 0;
    }
    memset(copy + p->columns, 0, (size_t)(p->width - p->columns) * sizeof(float));
    return copy;
}

/* The values of a prototype for a row, straight from it where they lie in one piece. What is behind the end of the row
   must be zero if a zero bit does not make it so. */
INLINE const float *read_tile(const int kind, const Tile *tile, const Product *p, int64_t at, float *copy) {
    if ((kind == ZERO || p->columns == p->width) && at + p->width <= tile->length) return tile->values + at;
    return copy_tile(tile, p, at, copy);
}

static const Byte *copy_bits(const Product *p, int64_t row, Byte *copy) {
    int64_t bit = row * p->columns, at = bit / 8, shift = bit % 8;
    int64_t bytes = p->width / 8, whole = (p->columns + 7) / 8;
    if (!shift)
        memcpy(copy, p->bits + at, (size_t)whole);
    else
        for (int64_t i = 0; i < whole; i++) {
            unsigned two = p->bits[at + i] | (at + i + 1 < p->size ? (unsigned)p->bits[at + i + 1] << 8 : 0);
            copy[i] = (Byte)(two >> shift);
        }
    if (p->columns % 8) copy[whole - 1] &= (Byte)((1u << p->columns % 8) - 1);
    memset(copy + whole, 0, (size_t)(bytes - whole));
    return copy;
}

INLINE const Byte *read_bits(const Product *p, int64_t row, Byte *copy) {
    return p->columns == p->width ? p->bits + row * p->columns / 8 : copy_bits(p, row, copy); /* a multiple of 64 */
}

/* Vectors in lanes that are multiplied by rows which are expanded once for them. */
static int64_t dense_group(const Product *p, int lanes) {
    const int64_t panel = WIDE * lanes, most = p->columns <= LONG ? CACHED / p->columns / panel * panel : VECTORS;
    return most > VECTORS ? VECTORS : most < panel ? panel : most;
}

typedef struct {
    size_t sums, weights, values, all; /* in floats */
} Sizes;

static Sizes scratch_sizes(const Product *p) {
    const size_t rows = p->order == NEAR ? 4 : p->order == DENSE ? MOST_TILE : ROWS_SPARSE, wide = (size_t)p->width;
    Sizes sizes = {0, p->order == DENSE ? WEIGHTS : 0, 2 * rows * (wide + SPARE), 0};
    if (p->half)
        sizes.sums = BLOCK * ((size_t)VECTORS_AMX + 16);
    else if (p->order == SPARSE || (p->order == DENSE && p->columns > LONG))
        sizes.sums = (BLOCK + MOST_TILE) * (size_t)(p->batch < VECTORS ? p->batch : VECTORS);
    sizes.all = sizes.sums + sizes.weights + sizes.values + rows * wide / 32;
    return sizes;
}

/* The parts of so much memory. */
static Scratch scratch_in(const Product *p, float *all) {
    const Sizes sizes = scratch_sizes(p);
    float *weights = all + sizes.sums, *values = weights + sizes.weights;
    return (Scratch){(Byte *)(values + sizes.values), values, weights, all};
}

INLINE void read_row(const int kind, const Product *p, int64_t row, const Places *at, Scratch *scratch, int k, Row *out) {
    float *copy = scratch->values + 2 * k * (p->width + SPARE);
    if (kind == PLAIN) {
        out->values = out->others = p->first.values + row * p->width;
        out->bits = (const Byte *)out->values; /* which are not looked at */
        return;
    }
    out->bits = read_bits(p, row, scratch->bits + k * (p->width / 8));
    if (kind == KEPT) {
        int64_t start = p->starts[row], left;
        if (start < 0 || start > p->first.length) start = p->first.length;
        left = p->first.length - start;
        out->values = out->others = p->first.values + start;
        if (left < p->columns + SPARE) { /* whatever the bits are, no more than a row of values is read */
            if (left > p->columns) left = p->columns;
            memcpy(copy, out->values, (size_t)left * sizeof(float));
            memset(copy + left, 0, (size_t)(p->width + SPARE - left) * sizeof(float));
            out->values = copy;
        }
        return;
    }
    out->values = out->others = read_tile(kind, &p->first, p, at->first, copy);
    if (kind == SECOND) out->others = read_tile(kind, &p->second, p, at->second, copy + p->width + SPARE);
}

/* `n` rows from `row` on. */
INLINE void read_rows(const int kind, const Product *p, int64_t row, int n, Scratch *scratch, Row *rows) {
    const Places step = steps_of(kind, p, 1);
    Places at = places_of(kind, p, row);
    for (int k = 0; k < n; k++, go_on(kind, p, &at, &step)) read_row(kind, p, row + k, &at, scratch, k, rows + k);
}

/* --- plain C ------------------------------------------------------------------------------------------------ */

#define LANES 8
#define TILE 2
#define UNROLLED /* the registers are not those of the machine: unrolled, they would take half a minute to compile */
#define FEW 2 /* registers of vectors in lanes, at most */
#define SUMS 8 /* of rows and vectors beside each other, at most */
#define NAME(x) x##_plain
typedef struct {
    float f[8];
} V_plain;
#define V V_plain
#define B const Byte *
#define v_bits(bits) (bits)
#define EACH for (int k = 0; k < 8; k++)
INLINE V none_plain(void) {
    V out;
    EACH out.f[k] = 0;
    return out;
}
INLINE V load_plain(const float *from) {
    V out;
    memcpy(&out, from, sizeof out);
    return out;
}
INLINE void store_plain(float *to, V v) { memcpy(to, &v, sizeof v); }
INLINE V all_plain(float value) {
    V out;
    EACH out.f[k] = value;
    return out;
}
INLINE V add_plain(V a, V b) {
    EACH a.f[k] += b.f[k];
    return a;
}
INLINE V fma_plain(V a, V b, V sum) {
    EACH sum.f[k] += a.f[k] * b.f[k];
    return sum;
}
INLINE float sum_plain(V v) {
    return ((v.f[0] + v.f[4]) + (v.f[2] + v.f[6])) + ((v.f[1] + v.f[5]) + (v.f[3] + v.f[7]));
}
INLINE void sums_plain(const V *v, const int count, float *out) {
    for (int i = 0; i < count; i++) out[i] = sum_plain(v[i]);
}
INLINE void some_plain(float *to, V v, int count) { memcpy(to, &v, (size_t)count * sizeof(float)); }
INLINE V chosen_plain(const Byte *bits, V one, V zero) {
    uint32_t a[8], b[8];
    memcpy(a, &one, sizeof a);
    memcpy(b, &zero, sizeof b);
    EACH {
        uint32_t mask = 0u - (uint32_t)(*bits >> k & 1);
        a[k] = (a[k] & mask) | (b[k] & ~mask);
    }
    memcpy(&one, a, sizeof a);
    return one;
}
INLINE V negated_plain(const Byte *bits, V v) {
    uint32_t a[8];
    memcpy(a, &v, sizeof a);
    EACH a[k] ^= (uint32_t)(~*bits >> k & 1) << 31;
    memcpy(&v, a, sizeof a);
    return v;
}
INLINE V kept_plain(const Byte *bits, const float **kept) {
    V out = none_plain();
    EACH if (*bits >> k & 1) out.f[k] = *(*kept)++;
    return out;
}
INLINE V mul_plain(V a, V b) {
    EACH a.f[k] *= b.f[k];
    return a;
}
#define v_none none_plain
#define v_mul mul_plain
#define v_load load_plain
#define v_store store_plain
#define v_all all_plain
#define v_add add_plain
#define v_fma fma_plain
#define v_sums sums_plain
#define v_some some_plain
#define v_once(v) (void)(v)
#define v_zero(bits, i, p) chosen_plain(bits + i / 8, load_plain(p), none_plain())
#define v_negated(bits, i, p) negated_plain(bits + i / 8, load_plain(p))
#define v_second(bits, i, p, q) chosen_plain(bits + i / 8, load_plain(p), load_plain(q))
#define v_kept(bits, i, kept) kept_plain(bits + i / 8, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sums
#undef v_some
#undef v_once
#undef v_bits
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept

/* --- AVX2 and AVX-512 ---------------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86 1
#include <cpuid.h>
#include <immintrin.h>

static int32_t places[256][8]; /* of the kept values of eight columns among themselves, by their bits */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,popcnt")
#endif
#define LANES 8
#define TILE 6
#define FEW 13
#define SUMS 8
#define UNROLLED UNROLL
#define NAME(x) x##_avx2
#define V __m256
#define B const Byte *
#define v_bits(bits) (bits)
INLINE __m256 bits_avx2(const Byte *bits) {
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(*bits), each), each));
}
/* The same of column `i` to `i` + 7 of 32, whose bits are in each element of a word. */
INLINE __m256i word_avx2(const Byte *bits) {
    int32_t word;
    memcpy(&word, bits, sizeof word);
    return _mm256_set1_epi32(word);
}
INLINE __m256 of_word_avx2(__m256i word, const int i) {
    const uint32_t one = 1u << i;
    const __m256i each = _mm256_setr_epi32((int)one, (int)(one << 1), (int)(one << 2), (int)(one << 3), (int)(one << 4),
                                           (int)(one << 5), (int)(one << 6), (int)(one << 7));
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(word, each), each));
}
INLINE __m256 negated_avx2(const Byte *bits, __m256 v) {
    return _mm256_xor_ps(v, _mm256_andnot_ps(bits_avx2(bits), _mm256_set1_ps(-0.0f)));
}
INLINE __m256 kept_avx2(const Byte *bits, const float **kept) {
    __m256i where = _mm256_loadu_si256((const __m256i *)places[*bits]);
    __m256 found = _mm256_permutevar8x32_ps(_mm256_loadu_ps(*kept), where);
    *kept += __builtin_popcount(*bits);
    return _mm256_and_ps(found, bits_avx2(bits));
}
INLINE void sums_avx2(const __m256 *v, const int count, float *out) {
    UNROLL for (int i = 0; i < count; i += 4) {
        __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(v[i], v[i + 1]), _mm256_hadd_ps(v[i + 2], v[i + 3]));
        _mm_storeu_ps(out + i, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
    }
}
INLINE void some_avx2(float *to, __m256 v, int count) {
    const __m256i each = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), each), v);
}
INLINE void turn_avx2(__m256 *t) {
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(t[i], t[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(t[i], t[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int j = 0; j < 2; j++) {
        b[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
        b[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}
#define v_none _mm256_setzero_ps
#define v_turn turn_avx2
#define v_mul _mm256_mul_ps
#define v_load _mm256_loadu_ps
#define v_store _mm256_storeu_ps
#define v_all _mm256_set1_ps
#define v_add _mm256_add_ps
#define v_fma _mm256_fmadd_ps
#define v_sums sums_avx2
#define v_some some_avx2
#define v_once(v) __asm__("" : "+x"(v)) /* read from memory once, not for each use */
#define v_zero(bits, i, p) _mm256_and_ps(bits_avx2(bits + i / 8), _mm256_loadu_ps(p))
#define v_negated(bits, i, p) negated_avx2(bits + i / 8, _mm256_loadu_ps(p))
#define v_second(bits, i, p, q) _mm256_blendv_ps(_mm256_loadu_ps(q), _mm256_loadu_ps(p), bits_avx2(bits + i / 8))
#define v_kept(bits, i, kept) kept_avx2(bits + i / 8, kept)
#define W __m256i
#define v_word word_avx2
#define v_zero_of(word, i, p) _mm256_and_ps(of_word_avx2(word, i), _mm256_loadu_ps(p))
#include "_products_body.h"
#undef W
#undef v_word
#undef v_zero_of
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sums
#undef v_some
#undef v_once
#undef v_bits
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma,bmi,popcnt"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma,bmi,popcnt")
#endif
#define LANES 16
#define TILE 12
#define FEW 13
#define SUMS 16
#define UNROLLED UNROLL
#define NAME(x) x##_avx512
#define V __m512
#define B __mmask64
#define v_bits load_bits_avx512
INLINE __mmask64 load_bits_avx512(const Byte *bits) { return _load_mask64((__mmask64 *)(uintptr_t)bits); }
INLINE __mmask16 bits_avx512(__mmask64 bits, const int i) {
    switch (i) { /* what is shifted is not read from memory again */
    case 0: return (__mmask16)bits;
    case 16: return (__mmask16)_kshiftri_mask64(bits, 16);
    case 32: return (__mmask16)_kshiftri_mask64(bits, 32);
    default: return (__mmask16)_kshiftri_mask64(bits, 48);
    }
}
INLINE __m512 negated_avx512(__mmask16 bits, __m512 v) {
    __m512i words = _mm512_castps_si512(v);
    return _mm512_castsi512_ps(
        _mm512_mask_xor_epi32(words, (__mmask16)~bits, words, _mm512_set1_epi32(INT32_MIN)));
}
INLINE __m512 kept_avx512(__mmask16 mask, const float **kept) {
    __m512 found = _mm512_maskz_expandloadu_ps(mask, *kept);
    *kept += __builtin_popcount(mask);
    return found;
}
/* Four vectors -> the sums of each of their quarters. */
INLINE __m512 quarters_avx512(const __m512 *v) {
    __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)), _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
}
INLINE __m512 halves_avx512(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
INLINE void sums_avx512(const __m512 *v, const int count, float *out) {
    __m512 a = quarters_avx512(v), b = count > 4 ? quarters_avx512(v + 4) : a;
    __m512 c = halves_avx512(a, b), d = count > 8 ? halves_avx512(quarters_avx512(v + 8), quarters_avx512(v + 12)) : c;
    __m512 s = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd));
    if (count > 8)
        _mm512_storeu_ps(out, s);
    else if (count > 4)
        _mm256_storeu_ps(out, _mm512_castps512_ps256(s));
    else
        _mm_storeu_ps(out, _mm512_castps512_ps128(s));
}
INLINE void some_avx512(float *to, __m512 v, int count) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), v);
}
INLINE void turn_avx512(__m512 *t) {
    __m512 a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(t[i], t[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(t[i], t[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) UNROLL for (int j = 0; j < 2; j++) {
        b[i + 2 * j] = _mm512_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
        b[i + 2 * j + 1] = _mm512_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
    }
    UNROLL for (int j = 0; j < 4; j++) {
        __m512 even = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88), odd = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
        __m512 more = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
        __m512 last = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
        t[j] = _mm512_shuffle_f32x4(even, more, 0x88);
        t[4 + j] = _mm512_shuffle_f32x4(odd, last, 0x88);
        t[8 + j] = _mm512_shuffle_f32x4(even, more, 0xdd);
        t[12 + j] = _mm512_shuffle_f32x4(odd, last, 0xdd);
    }
}
#define v_none _mm512_setzero_ps
#define v_turn turn_avx512
#define v_mul _mm512_mul_ps
#define v_load _mm512_loadu_ps
#define v_store _mm512_storeu_ps
#define v_all _mm512_set1_ps
#define v_add _mm512_add_ps
#define v_fma _mm512_fmadd_ps
#define v_sums sums_avx512
#define v_some some_avx512
#define v_once(v) __asm__("" : "+v"(v))
#define v_zero(bits, i, p) _mm512_maskz_loadu_ps(bits_avx512(bits, i), p)
#define v_negated(bits, i, p) negated_avx512(bits_avx512(bits, i), _mm512_loadu_ps(p))
#define v_second(bits, i, p, q) _mm512_mask_loadu_ps(_mm512_loadu_ps(q), bits_avx512(bits, i), p)
#define v_kept(bits, i, kept) kept_avx512((__mmask16)((bits) >> (i)), kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sums
#undef v_some
#undef v_once
#undef v_bits
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(HAS_X86) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define HAS_AMX 1
#include "_products_amx.h"
#endif

/* --- NEON ----------------------------------------------------------------------------------------------------- */

#if defined(__aarch64__) && defined(__GNUC__)
#define HAS_NEON 1
#include <arm_neon.h>
#define LANES 4
#define TILE 12
#define FEW 13
#define SUMS 16
#define UNROLLED UNROLL
#define NAME(x) x##_neon
#define V float32x4_t
#define B const Byte *
#define v_bits(bits) (bits)
INLINE float32x4_t none_neon(void) { return vdupq_n_f32(0); }
INLINE uint32x4_t bits_neon(const Byte *bits, int64_t i) {
    static const uint32_t each[4] = {1, 2, 4, 8};
    return vtstq_u32(vdupq_n_u32((uint32_t)*bits >> (i & 4)), vld1q_u32(each));
}
INLINE float32x4_t masked_neon(uint32x4_t mask, float32x4_t v) {
    return vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(v)));
}
INLINE float32x4_t negated_neon(uint32x4_t mask, float32x4_t v) {
    uint32x4_t sign = vbicq_u32(vdupq_n_u32(0x80000000u), mask);
    return vreinterpretq_f32_u32(veorq_u32(sign, vreinterpretq_u32_f32(v)));
}
INLINE float32x4_t kept_neon(const Byte *bits, int64_t i, const float **kept) {
    float found[4];
    for (int k = 0; k < 4; k++) found[k] = *bits >> ((i & 4) + k) & 1 ? *(*kept)++ : 0.0f;
    return vld1q_f32(found);
}
INLINE float32x4_t fma_neon(float32x4_t a, float32x4_t b, float32x4_t sum) { return vfmaq_f32(sum, a, b); }
INLINE void sums_neon(const float32x4_t *v, const int count, float *out) {
    for (int i = 0; i < count; i += 4)
        vst1q_f32(out + i, vpaddq_f32(vpaddq_f32(v[i], v[i + 1]), vpaddq_f32(v[i + 2], v[i + 3])));
}
INLINE void some_neon(float *to, float32x4_t v, int count) {
    float found[4];
    vst1q_f32(found, v);
    memcpy(to, found, (size_t)count * sizeof(float));
}
#define v_none none_neon
#define v_mul vmulq_f32
#define v_load vld1q_f32
#define v_store vst1q_f32
#define v_all vdupq_n_f32
#define v_add vaddq_f32
#define v_fma fma_neon
#define v_sums sums_neon
#define v_some some_neon
#define v_once(v) __asm__("" : "+w"(v))
#define v_zero(bits, i, p) masked_neon(bits_neon(bits + i / 8, i), vld1q_f32(p))
#define v_negated(bits, i, p) negated_neon(bits_neon(bits + i / 8, i), vld1q_f32(p))
#define v_second(bits, i, p, q) vbslq_f32(bits_neon(bits + i / 8, i), vld1q_f32(p), vld1q_f32(q))
#define v_kept(bits, i, kept) kept_neon(bits + i / 8, i, kept)
#include "_products_body.h"
#undef v_load
#undef v_store
#undef v_all
#undef v_add
#undef v_fma
#undef v_sums
#undef v_some
#undef v_once
#undef v_bits
#undef v_zero
#undef v_negated
#undef v_second
#undef v_kept
#endif

/* --- the choice of an instruction set ------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    void (*multiply)(const Product *, Scratch *);
    void (*arrange)(const void *, int64_t, int64_t, int64_t, void *);
    void (*pack)(const float *, int64_t, int64_t, int64_t, float *);
    int lanes, few; /* vectors of a register; registers of a group of SPARSE, or 0 for products of bfloat16 */
} Way;

static const Way WAYS[] = {
    {"plain", multiply_plain, arrange_plain, pack_plain, 8, 2},
#if defined(HAS_X86)
    {"avx2", multiply_avx2, arrange_avx2, pack_avx2, 8, 13},
    {"avx512", multiply_avx512, arrange_avx512, pack_avx512, 16, 13},
#if defined(HAS_AMX)
    {"amx", multiply_amx, arrange_amx, NULL, 16, 0},
#endif
#elif defined(HAS_NEON)
    {"neon", multiply_neon, arrange_neon, pack_neon, 4, 13},
#endif
};
enum { COUNT = sizeof WAYS / sizeof WAYS[0] };

static int usable(int way) {
#if defined(HAS_X86)
    __builtin_cpu_init();
#if defined(HAS_AMX)
    if (way == 3) return usable_amx();
#endif
    if (way == 2)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (way == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("popcnt");
#endif
    return way < COUNT;
}

#if !defined(WITHOUT_PYTHON)

/* --- errors ------------------------------------------------------------------------------------------------------ */

static PyObject *refuse(const char *what) {
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

/* The threads of the OpenMP library that torch has loaded: others would wait for a core while those are spinning. */
static struct {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned); /* GOMP_parallel, which other libraries have too */
    int (*number)(void), (*count)(void);
} share;

static void find_threads(void) {
#if defined(__unix__) || defined(__APPLE__)
    *(void **)&share.parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    *(void **)&share.number = dlsym(RTLD_DEFAULT, "omp_get_thread_num");
    *(void **)&share.count = dlsym(RTLD_DEFAULT, "omp_get_num_threads");
    if (!share.number || !share.count) share.parallel = NULL;
#endif
}

typedef struct {
    int way;
    Product p;
    int failed;
} Job;

/* Products of some rows, in memory of one's own if none is given. */
static void stretch_of_rows(Job *job, int64_t begin, int64_t end, float *memory) {
    Product p = job->p;
    p.begin = begin;
    p.end = end;
    p.apart = 1;
    if (is_tiled(p.kind) && p.first.period >= 2 * p.columns && p.first.period > FIRST_LEVEL) {
        p.apart = (p.first.period + p.columns / 2) / p.columns;
        if (p.apart > (p.end - p.begin) / 4) p.apart = 1;
    }
    float *taken = memory ? NULL : malloc(scratch_sizes(&p).all * sizeof(float) + 64);
    if (!memory && !taken) {
        job->failed = 1; /* no thread takes it back */
        return;
    }
    Scratch scratch = scratch_in(&p, memory ? memory : (float *)(((uintptr_t)taken + 63) / 64 * 64));
    WAYS[job->way].multiply(&p, &scratch);
    free(taken);
}

static void some_rows(void *data) {
    Job *job = data;
    int64_t rows = job->p.end - job->p.begin, count = share.count(), each = (rows + count - 1) / count;
    each = (each + MOST_TILE - 1) / MOST_TILE * MOST_TILE;
    int64_t begin = job->p.begin + each * share.number();
    if (begin < job->p.end) stretch_of_rows(job, begin, begin + each < job->p.end ? begin + each : job->p.end, NULL);
}

#include "_products_matrix.h"

/* shares() -> the threads of torch can be used, once it is imported */
static PyObject *shares(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    if (!share.parallel) find_threads();
    return PyBool_FromLong(share.parallel != NULL);
}

/* ways() -> (name, lanes, most registers of a group) or None for each instruction set, the best last */
static PyObject *ways(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    PyObject *found = PyList_New(0);
    for (int way = 0; found && way < COUNT; way++) {
        PyObject *one = usable(way) ? Py_BuildValue("(sii)", WAYS[way].name, WAYS[way].lanes, WAYS[way].few) : Py_NewRef(Py_None);
        if (!one || PyList_Append(found, one)) Py_CLEAR(found);
        Py_XDECREF(one);
    }
    return found;
}

static PyMethodDef methods[] = {
    {"bind", bind_torch, METH_VARARGS, "Take what `quick` needs of torch."},
    {"quick", quick, METH_O, "Return the outputs of linear, or None."},
    {"shares", shares, METH_NOARGS, "Return whether the threads of torch can be used."},
    {"ways", ways, METH_NOARGS, "Return the instruction sets, None for those that this machine lacks."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_products", "Products of packed weights with vectors.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__products(void) {
#if defined(HAS_X86)
    for (int bits = 0; bits < 256; bits++)
        for (int k = 0, next = 0; k < 8; k++) places[bits][k] = bits >> k & 1 ? next++ : 0;
#endif
    PyObject *made = PyModule_Create(&module), *type = made ? PyType_FromSpec(&matrix_spec) : NULL;
    if (type) matrix_type = (PyTypeObject *)Py_NewRef(type);
    if (!type || PyModule_AddObject(made, "Matrix", type)) {
        Py_XDECREF(type);
        Py_CLEAR(made);
    }
    return made;
}

#endif
